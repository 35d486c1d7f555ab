"""The window: a package a page, and what the pages share."""

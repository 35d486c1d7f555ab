"""The hold-still test and its report card."""

"""Widgets of the live window. They show what presenters computed and report what the user did."""

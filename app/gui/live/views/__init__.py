"""Widgets of the live window. They show what presenters computed and report what a person did."""

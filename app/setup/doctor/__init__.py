"""Checks of what the program needs, for ``main.py doctor``; each returns findings and raises nothing."""

"""Palettes, type and style sheet."""

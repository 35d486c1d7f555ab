"""Accuracy, flicker and how sure a figure is."""

"""Accuracy, flicker with and without ground truth, lag, and the confidence of a figure."""

"""Measuring: accuracy on labelled data, flicker against accuracy and lag, speed."""

"""Whole inputs, tracked to their end without a window: one by ``track``, many by ``batch``."""

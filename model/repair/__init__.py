"""GHCU, the global heatmap correction unit."""

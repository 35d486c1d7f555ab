"""Accuracy on labelled data sets: WFLW, 300W and WFLW-V."""

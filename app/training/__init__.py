"""What a training run needs from the application: labelled faces to validate on."""

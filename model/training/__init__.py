"""Training: data, augmentation, objective, loop, semantic alignment."""

"""The jitter-lag laboratory: methods of tracking one face, measured on the same encoded clips."""

"""What the hold-still test shows and does, without Qt."""

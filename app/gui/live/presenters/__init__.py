"""What the live page shows and does, without Qt."""

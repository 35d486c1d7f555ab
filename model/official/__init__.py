"""Checkpoints released by the authors."""

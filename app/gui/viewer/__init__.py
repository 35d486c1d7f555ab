"""The pages of recorded sessions."""

"""Recurrence without recurrence: cold and warm solves of one face, or of several in one batch."""

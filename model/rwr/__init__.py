"""Recurrence without recurrence: warm start, motion, weight and objective."""

"""The hold-still test's widgets."""

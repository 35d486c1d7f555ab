"""The session pages' widgets."""

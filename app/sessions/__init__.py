"""Recordings as folders: written while tracking, opened, replayed under other settings, compared and cut."""

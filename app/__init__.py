"""LDEQ Live, the application around the ``model`` library."""

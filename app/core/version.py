"""The version of LDEQ Live."""

VERSION = "0.1.0"

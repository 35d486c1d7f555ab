"""The version of LDEQ Live."""

VERSION = "0.2.0"

"""Everything that yields frames."""

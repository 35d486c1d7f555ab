"""Makes the built-in demo clip: a portrait whose head and expression move as is known exactly."""

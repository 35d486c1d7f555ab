"""Makes the built-in demo clip: a portrait animated with motion that is known exactly."""

"""What every room may know: frames and results, modes, settings, presets, errors, the latest-value slot."""

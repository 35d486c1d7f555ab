"""What the session pages show and do, without Qt."""

"""How steadily trackers follow faces whose motion is known, ours beside others."""

"""How fast everything is here: stages, end to end, memory and start, against what the processor could do."""

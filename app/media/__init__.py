"""What is written: videos, sound, tables, drawn and blurred pictures."""

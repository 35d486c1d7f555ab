"""What the live window shows and does, without a widget: all of it is tested without a window."""

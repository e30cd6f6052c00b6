"""`caveat plan`."""

"""The study folder."""

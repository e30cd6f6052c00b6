"""Running jobs, here or on a Ray cluster."""

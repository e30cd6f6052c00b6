"""English rules behind `said` and `belief`."""

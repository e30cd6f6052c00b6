"""Rules on English text for the readouts `said` and `belief`."""

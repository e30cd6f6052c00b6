"""What others found: published figures, and their verdicts as finished studies."""

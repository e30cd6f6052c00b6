"""Programming problems whose reward sees the visible tests only: problems, replies, grades."""

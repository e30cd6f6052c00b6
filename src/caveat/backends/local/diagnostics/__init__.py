"""What the inside of trained models looks like: weights, hidden states, directions."""

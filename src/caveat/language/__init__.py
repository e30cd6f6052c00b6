"""All that computes on text: model sources, rendering, lockstep training, answers."""

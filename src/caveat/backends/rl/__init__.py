"""What RL training is on every backend: prompts, rewards, advantages and weights of replies."""

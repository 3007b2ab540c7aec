"""How much memory a training run takes, counted before it starts, and what would make it take less."""

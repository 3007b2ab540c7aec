"""The training loop of every objective: runner, saved state, EMA, weight initialization and batches."""

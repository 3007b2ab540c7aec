"""The runner every kind of training shares, with its state, averages and batches."""

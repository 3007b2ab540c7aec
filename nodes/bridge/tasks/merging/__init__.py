"""Searching the weights of a merge by a score, in the queue."""

"""A taste, learned from rewards or from pairs: its lessons, and the whole run."""

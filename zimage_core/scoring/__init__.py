"""Numbers for pictures: one protocol for metrics and rewards, and the scores built on it."""

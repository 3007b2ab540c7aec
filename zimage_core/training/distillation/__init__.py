"""A student of few steps: its updates, what it is fed, and the whole run."""

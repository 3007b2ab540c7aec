"""The same prompts and seeds drawn in several ways, measured and shown side by side."""

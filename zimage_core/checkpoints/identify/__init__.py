"""What a model file is, from its header alone: which of our networks, which release, or which foreign model."""

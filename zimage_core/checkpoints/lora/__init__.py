"""LoRA files of every trainer in one form, and back into two."""

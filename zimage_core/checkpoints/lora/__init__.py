"""LoRA files: keys and tensors of every trainer read into one `Lora`, and written in two key naming schemes."""

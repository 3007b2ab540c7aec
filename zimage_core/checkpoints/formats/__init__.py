"""How files store tensors: safetensors and GGUF headers, shards, packed weights and their formulas."""

"""What files hold and how their tensors are stored: headers, shards, GGUF, packed weights."""

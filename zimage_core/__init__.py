"""The Z-Image model family in PyTorch: a library that knows nothing of ComfyUI."""

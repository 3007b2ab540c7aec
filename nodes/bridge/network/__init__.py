"""Our networks behind ComfyUI's calls."""

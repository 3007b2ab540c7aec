"""The user's files, and the MODEL, CLIP, VAE, CLIP_VISION and MODEL_PATCH they become."""

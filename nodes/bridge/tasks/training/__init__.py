"""Training on the canvas: pictures from ComfyUI's input folder, its CLIP and VAE, and the core's own network."""

"""What nodes do with loaded networks: encode prompts and images, sample, decode, edit, inpaint."""

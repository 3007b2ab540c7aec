"""What steers a picture by its prompts inside the network's attention, as functions of tensors."""

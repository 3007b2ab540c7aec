"""What is learned from: groups of pictures of a prompt, drawn with noise and rated."""

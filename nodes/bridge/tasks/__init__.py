"""What nodes do with loaded networks: encode, sample, decode, edit, repaint."""

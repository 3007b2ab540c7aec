"""Draws the pictures of the README, help pages, workflow thumbnails and the Registry, with the built-in model."""

"""What the page asks, and what is written into saved pictures."""

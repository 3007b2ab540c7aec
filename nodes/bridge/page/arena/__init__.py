"""Z-Image Arena: where arenas lie, what a run adds to one, and the page's questions about it."""

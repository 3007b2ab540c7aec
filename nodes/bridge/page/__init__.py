"""HTTP routes for the browser part, and metadata for saved images."""

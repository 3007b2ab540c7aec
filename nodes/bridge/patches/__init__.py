"""What nodes change about a MODEL, on a clone of it."""

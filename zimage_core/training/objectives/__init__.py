"""One loss each."""

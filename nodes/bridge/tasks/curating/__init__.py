"""A folder looked through on the canvas: profiled, freed of copies; what stays goes on as a list."""

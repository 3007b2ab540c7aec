"""How well nano draws and edits, measured by checkers that know the renderer."""

"""Numbers of things in words."""


def counted(number: int, thing: str) -> str:
    """A number with its noun, such as "1 picture" or "2 pictures"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"

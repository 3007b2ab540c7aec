"""Numbers of things in words."""


def counted(number: int, thing: str, things: str = "") -> str:
    """A number with its noun, such as "1 picture" or "2 pictures"; `things` is a plural that is not formed with s."""
    return f"{number} {thing if number == 1 else things or thing + 's'}"

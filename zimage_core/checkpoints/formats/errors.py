"""The error that every reader of files raises."""


class CheckpointError(ValueError):
    """A file that cannot be used. The message says what is wrong, what was found and what to do, in one line."""


def one_line(error: Exception) -> str:
    """What an exception says, short and printable."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:120]

"""What people wrote, as a message may repeat it."""

MOST_LETTERS = 40


def shortened(words: str, most: int = MOST_LETTERS) -> str:
    """A text on one line, of at most so many letters."""
    line = " ".join(words.split())
    return line if len(line) <= most else f"{line[: most - 3]}..."

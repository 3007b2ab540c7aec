"""What people wrote, as a message may repeat it."""

MOST_LETTERS = 40


def shortened(words: str) -> str:
    """A text on one line, of at most 40 letters."""
    line = " ".join(words.split())
    return line if len(line) <= MOST_LETTERS else f"{line[: MOST_LETTERS - 3]}..."

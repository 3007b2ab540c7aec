"""Types of command line arguments: each checks one and says in a sentence what is wrong with it."""

import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path

SIZE = re.compile(r"([0-9]{1,5})[xX×]([0-9]{1,5})")
SIDE_MULTIPLE, MAX_SIDE = 16, 8192  # pixels
MAX_STRENGTH = 100.0


def integer(low: int, high: int) -> Callable[[str], int]:
    """Whole numbers from `low` to `high`."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,30}", value) or not low <= int(value) <= high:
            raise ArgumentTypeError(f"{value!r} is not a whole number from {low} to {high}")
        return int(value)

    return parse


def number(low: float, high: float) -> Callable[[str], float]:
    """Numbers above `low`, up to `high`."""

    def parse(value: str) -> float:
        found = to_float(value)
        if found is None or not low < found <= high:
            raise ArgumentTypeError(f"{value!r} is not a number above {low:g} and up to {high:g}")
        return found

    return parse


def nonnegative(high: float) -> Callable[[str], float]:
    """Numbers from 0 to `high`."""

    def parse(value: str) -> float:
        return 0.0 if to_float(value) == 0 else number(0.0, high)(value)

    return parse


def share(value: str) -> float:
    """A number from 0 to 1."""
    return 0.0 if to_float(value) == 0 else number(0.0, 1.0)(value)


def number_or(low: float, high: float, word: str) -> Callable[[str], float | str]:
    """Numbers above `low`, up to `high`, or a word."""

    def parse(value: str) -> float | str:
        return word if value == word else number(low, high)(value)

    return parse


def size(value: str) -> tuple[int, int]:
    """Width and height in pixels: "1024x768"."""
    match = SIZE.fullmatch(value)
    sides = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(SIDE_MULTIPLE <= side <= MAX_SIDE and side % SIDE_MULTIPLE == 0 for side in sides):
        raise ArgumentTypeError(
            f"{value!r} is not WIDTHxHEIGHT in pixels, both multiples of {SIDE_MULTIPLE} up to {MAX_SIDE}"
        )
    return sides


def lora(value: str) -> tuple[Path, float]:
    """A LoRA file and its strength: "style.safetensors:0.8"; 1 where none is given."""
    file, colon, strength = value.rpartition(":")
    found = to_float(strength)
    if not colon or found is None:
        return Path(value), 1.0
    if not abs(found) <= MAX_STRENGTH:  # nor is it if it is not a number
        raise ArgumentTypeError(f"{strength!r} is no strength of a LoRA: choose one from -100 to 100")
    return Path(file), found


def path(value: str) -> Path:
    """A file or a folder; an empty text would be the folder one stands in."""
    if not value.strip():
        raise ArgumentTypeError("it is empty: give a file or a folder, or . for this one")
    return Path(value)


def model(value: str) -> str:
    """A model's name or folder."""
    if not value.strip():
        raise ArgumentTypeError("it is empty: write nano, or the folder of a model")
    return value


def text(value: str) -> str:
    """Text that can be encoded: a shell may pass bytes that are none."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ArgumentTypeError("the text is not valid UTF-8") from error
    return value


def to_float(value: str) -> float | None:
    """A number, also one that is not finite, or None."""
    try:
        return float(value)
    except ValueError:
        return None

"""TOML files: recipes, and the datasets of other trainers."""

from pathlib import Path
from typing import Any


def read_toml(file: Path) -> dict[str, Any]:
    """A file's tables. Raises ValueError that names the file and says what is wrong with it."""
    try:
        return _parsed(file)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def _parsed(file: Path) -> dict[str, Any]:
    try:
        import tomllib
    except ImportError as error:  # Python 3.10
        raise ValueError("TOML files are read by Python 3.11 or newer") from error
    try:
        return tomllib.loads(file.read_text("utf-8-sig"))
    except FileNotFoundError:
        raise ValueError("there is no such file") from None
    except IsADirectoryError:
        raise ValueError("it is a folder, and no TOML file") from None
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8 text; save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"it is no TOML ({error}); correct it") from error

"""Prompts that a training node learns from or draws: the lines of its text box, and of a text file of the user's."""

from pathlib import Path

import folder_paths

from .....zimage_core.data import is_picture
from .....zimage_core.data.prompts import read_prompts
from .....zimage_core.nano.data.example_sets import training_prompts
from ...loading.files import file_state

NO_FILE = "none"


def prompt_files() -> list[str]:
    """Names for a dropdown: text files in the input folder itself, but for those that caption a picture beside them."""
    root = Path(folder_paths.get_input_directory())
    pictures = {file.stem for file in root.iterdir() if is_picture(file)}
    return [NO_FILE, *sorted(file.name for file in root.glob("*.txt") if file.stem not in pictures)]


def state(name: str) -> str:
    """Changes with the file."""
    return "" if name == NO_FILE else file_state(str(_file(name)))


def prompts_of(text: str, name: str, *, is_nano: bool) -> list[str]:
    """Each once, those of the text box first; nano has a thousand of its own where nothing is given.

    Raises ValueError with one sentence.
    """
    lines = [line.strip() for line in text.splitlines()]
    found = [*filter(None, lines), *([] if name == NO_FILE else read_prompts(_file(name)))]
    if not found and not is_nano:
        raise ValueError(
            "There is no prompt to learn from. Write some, one a line, or put a text file with a prompt a line into "
            "ComfyUI's input folder and choose it; some hundred that say what you draw are good."
        )
    return list(dict.fromkeys(found)) or training_prompts()


def _file(name: str) -> Path:
    root = Path(folder_paths.get_input_directory()).resolve()
    file = (root / name).resolve()
    if not file.is_relative_to(root):
        raise ValueError(f"The prompts {name!r} lie outside ComfyUI's input folder. Pick a file inside it.")
    return file

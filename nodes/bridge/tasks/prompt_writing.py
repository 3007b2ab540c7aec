"""The text that Z-Image Prompt makes of its widgets."""

from functools import cache

from ....zimage_core.text.resolve import resolve
from ....zimage_core.text.styles import apply_style
from ..loading import prompt_files

NO_STYLE = "none"


def written(text: str, style: str, seed: int) -> str:
    """The prompt with its choices decided by the seed, then put in the style as it stands; raises ValueError."""
    resolved = resolve(text, seed, cache(prompt_files.wildcard_lines))
    if style == NO_STYLE:
        return resolved
    known = prompt_files.styles()
    if style not in known:
        raise ValueError(f"There is no style called {style}: choose one from the list, or none.")
    return apply_style(known[style], resolved)

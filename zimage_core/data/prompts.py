"""A text file of prompts, one a line."""

from pathlib import Path

from ..regular_file import irregularity

MOST_PROMPTS, MOST_BYTES = 100_000, 64 * 2**20


def read_prompts(file: Path) -> list[str]:
    """The lines that are not empty, without those that are there twice. Raises ValueError with one sentence."""
    if not file.exists() and not file.is_symlink():
        raise ValueError(f"{file}: there is no such file; give a text file with a prompt a line")
    if why := irregularity(file):
        raise ValueError(f"{file} {why}; give a text file with a prompt a line")
    if file.stat().st_size > MOST_BYTES:
        raise ValueError(f"{file} has {file.stat().st_size / 2**20:.0f} MiB; give a text file of at most 64 MiB")
    try:
        lines = [line.strip() for line in file.read_text("utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not UTF-8 text; save it as UTF-8") from error
    prompts = list(dict.fromkeys(line for line in lines if line))
    if not prompts:
        raise ValueError(f"{file} has no prompt in it; write one a line")
    if len(prompts) > MOST_PROMPTS:
        raise ValueError(f"{file} has {len(prompts)} prompts; {MOST_PROMPTS} teach as much: take some")
    return prompts

"""The key of a language server: from a file in ComfyUI's user folder, or from the environment.

Whoever reaches ComfyUI's server can change its settings. So a key goes only to the address that stands beside it in the
file; the one of the environment, which names no address, only where ComfyUI serves nobody but this computer.
"""

import ipaddress
import os
from pathlib import Path

import folder_paths
from comfy.cli_args import args

from .....zimage_core.chat_server import KEY_VARIABLE

FILE = "zimage/server_keys.txt"  # in the user folder, in no user's own, which the page can read
MOST_BYTES = 64_000


def key_for(address: str) -> str:
    """The key to send to an address; empty for none."""
    return _keys_of_file().get(_bare(address)) or (os.environ.get(KEY_VARIABLE, "").strip() if _is_alone() else "")


def _keys_of_file() -> dict[str, str]:
    """Keys by address. A line is an address, a space and a key; others are left out."""
    file = Path(folder_paths.get_user_directory()) / FILE
    try:
        text = file.read_text("utf-8-sig") if file.stat().st_size <= MOST_BYTES else ""
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = (line.split() for line in text.splitlines() if not line.lstrip().startswith("#"))
    return {_bare(pair[0]): pair[1] for pair in pairs if len(pair) == 2}


def _bare(address: str) -> str:
    return address.rstrip("/")


def _is_alone() -> bool:
    """Whether ComfyUI listens to this computer alone, for one user."""
    return not args.multi_user and all(map(_is_loopback, str(args.listen).split(",")))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip()).is_loopback
    except ValueError:
        return host.strip() == "localhost"

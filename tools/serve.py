"""`make serve`: the same ComfyUI, for the browser."""

import argparse
import contextlib
import os
import subprocess
import sys
from pathlib import Path

from comfyui import PACK, REPOSITORY, command


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="make serve", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=8188)
    arguments, extra = parser.parse_known_args()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    base, output = cache / PACK / "base", REPOSITORY / "output"
    output.mkdir(exist_ok=True)
    print(f"ComfyUI at http://127.0.0.1:{arguments.port} - models go to {base / 'models'} - Ctrl+C stops it")
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(subprocess.call(command(base, output, arguments.port, extra or default_device())))


def default_device() -> list[str]:
    """The processor where there is no accelerator."""
    import torch

    return [] if torch.cuda.is_available() else ["--cpu"]


if __name__ == "__main__":
    main()

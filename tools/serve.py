"""`make serve`: starts ComfyUI for use in the browser."""

import argparse
import contextlib
import subprocess
import sys

from .comfyui import REPOSITORY, cache_folder, server_command


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="make serve", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=8188)
    arguments, extra = parser.parse_known_args()
    flags = extra or default_device()
    if "--preview-method" not in flags:
        flags += ["--preview-method", "auto"]  # pictures as they form; ComfyUI's own default shows none
    base, output = cache_folder() / "base", REPOSITORY / "output"
    output.mkdir(exist_ok=True)
    print(f"ComfyUI at http://127.0.0.1:{arguments.port} - models go to {base / 'models'} - Ctrl+C stops it")
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(subprocess.call(server_command(base, output, arguments.port, flags)))


def default_device() -> list[str]:
    """ComfyUI's flags for this machine: CPU only where there is no CUDA."""
    import torch

    return [] if torch.cuda.is_available() else ["--cpu"]


if __name__ == "__main__":
    main()

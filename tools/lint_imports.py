"""Checks the import contracts of pyproject.toml.

The pack's folder may have any name, so the linter gets a temporary package `zimage_pack` made of links into it.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def main() -> None:
    """Run import-linter with the links on its path."""
    with tempfile.TemporaryDirectory() as scratch:
        package = Path(scratch) / "zimage_pack"
        package.mkdir()
        for name in ("__init__.py", "nodes", "zimage_core"):
            (package / name).symlink_to(REPOSITORY / name)
        linter = Path(sys.executable).with_name("lint-imports")
        arguments = [str(linter), "--config", str(REPOSITORY / "pyproject.toml"), "--no-cache"]
        sys.exit(subprocess.call(arguments, cwd=scratch, env={"PYTHONPATH": scratch, "PATH": str(linter.parent)}))


if __name__ == "__main__":
    main()

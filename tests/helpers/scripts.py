"""The page's modules, run by Node."""

import json
import shutil
import subprocess

from paths import REPOSITORY

NODE = shutil.which("node")
SCRIPTS = (REPOSITORY / "js" / "zimage").as_uri()


def node(*arguments: str) -> str:
    done = subprocess.run([NODE, *arguments], cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def evaluate(module: str, expression: str):
    """The value of an expression over a module of the page's."""
    script = f'import * as it from "{SCRIPTS}/{module}.mjs"; console.log(JSON.stringify({expression}));'
    return json.loads(node("--input-type=module", "--eval", script))

"""`make run`: starts ComfyUI, executes a workflow and prints the paths of its pictures."""

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .comfyui import REPOSITORY, Server, cache_folder, running_server
from .workflows import Prompt, execute, to_prompt


class ProgressBars:
    """One progress bar per node that reports progress."""

    def __init__(self, prompt: Prompt) -> None:
        self.prompt = prompt
        self.bar: tqdm[Any] | None = None

    def __call__(self, kind: str, data: dict[str, Any]) -> None:
        """Update from one of the server's messages."""
        if kind == "executing":
            self.close()
            if data.get("node"):
                shown = data.get("display_node") or data["node"]  # the node on the canvas, of nodes that run inside it
                print(f"  {self.prompt[shown]['class_type']}")
        elif kind == "progress":
            if self.bar is None:
                self.bar = tqdm(
                    total=data["max"], unit="step", leave=True, bar_format="    {bar:30} {n}/{total} {elapsed}"
                )
            self.bar.update(data["value"] - self.bar.n)

    def close(self) -> None:
        """Close the bar of the current node."""
        if self.bar is not None:
            self.bar.close()
        self.bar = None


def run(server: Server, workflow: Path) -> list[Path]:
    """Execute a workflow and return the files it saved; exits with its error if it failed."""
    prompt = to_prompt(server, workflow)
    bars = ProgressBars(prompt)
    started = time.monotonic()
    outcome = asyncio.run(execute(server, prompt, bars))
    bars.close()
    if outcome.error:
        sys.exit(f"The workflow failed: {outcome.error.get('exception_message') or outcome.error}")
    print(f"Done in {time.monotonic() - started:.1f} s.")
    return outcome.files


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="make run", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("workflow", type=Path)
    parser.add_argument("--output", type=Path, default=REPOSITORY / "output", help="where pictures go")
    arguments = parser.parse_args()
    base = cache_folder() / "base"
    base.mkdir(parents=True, exist_ok=True)
    print("Starting ComfyUI ...")
    with running_server(base, arguments.output.resolve()) as server:
        print(f"Running {arguments.workflow.name}")
        for file in run(server, arguments.workflow):
            print(f"Picture: {os.path.relpath(file)}")


if __name__ == "__main__":
    main()

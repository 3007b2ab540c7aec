"""The script for a borrowed machine goes on after files that fail, hang or die, and its exit code tells; on a CPU."""

import subprocess
import sys

import pytest

from paths import REPOSITORY
from tests.gpu.run_all import Run, exit_code, planned, run_all

FILES = {
    "hung": "import time\n\ndef test_it():\n    time.sleep(600)\n",
    "died": "import os\n\ndef test_it():\n    os.abort()\n",
    "failed": "def test_it():\n    assert 1 == 2\n",
    "skipped": "import pytest\n\ndef test_it():\n    pytest.skip('needs a GPU')\n",
    "passed": "def test_it():\n    pass\n",
}


@pytest.fixture
def runs(tmp_path):
    def write(outcomes):
        for outcome in outcomes:
            file = tmp_path / f"test_{outcome}.py"
            file.write_text(FILES[outcome], "utf-8")
            yield Run(file=file, limit=3 if outcome == "hung" else 120)

    return write


def test_it_goes_on_after_files_that_fail_hang_and_die(runs, tmp_path, capsys):
    results = run_all(list(runs(FILES)), 10, tmp_path)
    assert [each.outcome for each in results] == list(FILES)
    assert "assert 1 == 2" in capsys.readouterr().out
    assert exit_code(results) == 1
    assert exit_code(results[3:]) == 0
    assert exit_code(results[3:4]) == 5


def test_files_for_which_no_time_is_left_are_named(runs, tmp_path):
    results = run_all(list(runs(["passed"])), 0, tmp_path)
    assert [each.outcome for each in results] == ["no time left"]
    assert exit_code(results) == 1


def test_from_the_command_line_its_exit_code_says_that_nothing_ran(runs):
    (run,) = runs(["skipped"])
    script = [sys.executable, "tests/gpu/run_all.py", str(run.file)]
    assert subprocess.run(script, cwd=REPOSITORY, capture_output=True, check=False).returncode == 5


def test_every_test_file_of_the_folder_is_in_the_plan():
    files = {file.name for file in (REPOSITORY / "tests/gpu").glob("test_*.py")}
    assert {run.file.name for run in planned()} == files - {"test_run_all.py"}

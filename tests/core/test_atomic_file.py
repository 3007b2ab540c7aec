"""A file is written whole or not at all, by everyone who writes one, whatever stops the process."""

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from memory import LiveBytesMode
from paths import REPOSITORY
from zimage_core.atomic_file import remove_leftovers, save_tensors, write_atomically

# The kernel kills a child in the middle of its own write, once the file has more bytes than allowed.
WRITERS = """
import os, resource, signal, sys
from pathlib import Path
import torch
from PIL import Image
from zimage_core.adapters import Lora, LowRank, Target
from zimage_core.checkpoints import save_lora
from zimage_core.commands.files import save_picture
from zimage_core.nano.export import export
from zimage_core.nano.stages.bank_file import cached_tensors
from zimage_core.runtime.prompt_cache import DiskCache
from zimage_core.training import Ema
from zimage_core.training.loop.state import save_state

torch.set_num_threads(1)
layer = torch.nn.Linear(64, 64)
delta = LowRank(up=torch.ones(64, 32), down=torch.ones(32, 64))
lora = Lora(file="x", family="y", deltas={Target("layers.0.attention.out.weight"): delta})
WRITERS = {
    "LoRA": lambda folder: save_lora(lora, folder / "a.safetensors", "ComfyUI"),
    "state": lambda folder: save_state(folder, 1, layer, torch.optim.AdamW(layer.parameters()), Ema(layer, 0.9), {}),
    "weights": lambda folder: export(layer, folder / "a.safetensors"),
    "bank": lambda folder: cached_tensors(folder / "a.safetensors", lambda: {"a": torch.zeros(64, 64)}),
    "cache": lambda folder: DiskCache(folder, 1 << 20).put("0" * 64, {"a": torch.zeros(64, 64)}),
    "picture": lambda folder: save_picture(Image.effect_noise((128, 128), 99), folder / "a.png"),
}
for name, write in WRITERS.items():
    folder = Path(sys.argv[1]) / name
    folder.mkdir()
    child = os.fork()
    if not child:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        write(folder)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXFSZ, (name, status)
    print(name, *sorted(file.name for file in folder.iterdir() if not file.name.startswith(".")), sep=":")
    write(folder)
    print(name, *sorted(file.name for file in folder.iterdir()), sep=":")
"""
TENSORS = "a.safetensors"
NAMES = {"LoRA": TENSORS, "state": "state.safetensors", "weights": TENSORS, "bank": TENSORS}
NAMES |= {"cache": f"{'0' * 64}.safetensors", "picture": "a.png"}


@pytest.mark.slow
def test_a_writer_killed_in_the_middle_leaves_no_half_file_and_the_next_one_cleans_up(tmp_path):
    pytest.importorskip("resource")
    found = subprocess.run(
        [sys.executable, "-c", WRITERS, str(tmp_path)], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines() == [line for name, file in NAMES.items() for line in (name, f"{name}:{file}")]


def test_what_another_process_is_writing_stays_and_so_does_what_only_looks_alike(tmp_path):
    others = [tmp_path / ".zimage-1.part", tmp_path / "zimage-0123456789abcdef.part", tmp_path / ".hidden"]
    for file in others:
        file.write_bytes(b"")
    (tmp_path / f".zimage-{'0' * 16}.part").mkdir()

    def write_while_another_starts(opened):
        opened.write(b"new")
        code = "import sys; from pathlib import Path; from zimage_core.atomic_file import remove_leftovers\n"
        code += "remove_leftovers(Path(sys.argv[1]))"
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=REPOSITORY, check=True)

    write_atomically(tmp_path / "file", write_while_another_starts)
    assert (tmp_path / "file").read_bytes() == b"new"
    assert len(list(tmp_path.iterdir())) == len(others) + 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, ValueError])
def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path, error):
    file = tmp_path / "file"
    file.write_bytes(b"old")

    def fail(opened):
        opened.write(b"half")
        raise error

    with pytest.raises(error):
        write_atomically(file, fail)
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("file", b"old")]


def test_a_name_as_long_as_file_systems_allow_can_be_written(tmp_path):
    write_atomically(tmp_path / ("x" * 255), lambda file: file.write(b"1"))
    remove_leftovers(tmp_path / "no such folder")
    assert [len(file.name) for file in tmp_path.iterdir()] == [255]


def test_saved_tensors_come_back_bit_equal_with_their_metadata(tmp_path, generator):
    from safetensors import safe_open

    tensors = {"a": torch.randn(3, 4, generator=generator).bfloat16(), "b": torch.arange(5)}
    save_tensors(tmp_path / "a", tensors, {"x": "y"})
    again = load_file(tmp_path / "a")
    assert again.keys() == tensors.keys() and all(torch.equal(again[key], tensors[key]) for key in tensors)
    with safe_open(tmp_path / "a", "pt") as opened:
        assert opened.metadata() == {"x": "y"}


def test_a_bank_cut_short_is_named_and_made_anew(tmp_path, caplog):
    from zimage_core.nano.stages.bank_file import cached_tensors

    file, calls = tmp_path / "new folder" / "bank.safetensors", []

    def compute():
        calls.append(1)
        return {"a": torch.arange(100)}

    for _ in range(2):
        assert torch.equal(cached_tensors(file, compute)["a"], torch.arange(100))
    assert len(calls) == 1 and not caplog.messages
    os.truncate(file, 300)
    assert torch.equal(cached_tensors(file, compute)["a"], torch.arange(100))
    assert len(calls) == 2 and str(file) in caplog.text


def test_only_one_place_writes_tensors():
    names = [file for file in Path(REPOSITORY / "zimage_core").rglob("*.py") if "save_file" in file.read_text("utf-8")]
    assert [file.name for file in names] == ["atomic_file.py"]


def test_a_tensor_file_holds_what_the_library_reads_and_is_never_in_memory_whole(tmp_path):
    """Python's allocations are counted by tracemalloc, tensors by their storages; the largest tensor is 4 MB."""
    transposed = torch.randn(1000, 1000).T  # the only one that has to be copied
    names = (torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.int8, torch.uint8, torch.int64, torch.bool)
    tensors = {str(dtype): torch.arange(7).to(dtype).reshape(7, 1) for dtype in names}
    tensors |= {f"large.{index}": torch.randn(1000, 1000) for index in range(8)}
    tensors |= {"transposed": transposed, "number": torch.tensor(3.0), "empty": torch.zeros(0, 4)}
    metadata = {"step": "3", "recipe": '{"name": "fuchs \u00e4"}'}
    file = tmp_path / "a.safetensors"
    with LiveBytesMode():  # what is imported for it is no part of the count
        save_tensors(file, {"first": torch.zeros(1)})
    tracemalloc.start()
    with LiveBytesMode() as mode:
        save_tensors(file, tensors, metadata)
    _, python_peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert python_peak < 10**6 and mode.peak - sum(each.nbytes for each in tensors.values()) <= transposed.nbytes
    with safe_open(file, "pt") as opened:
        assert opened.metadata() == metadata
    found = load_file(file)
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor)

"""Compiled blocks learn what plain ones do, and are compiled once for all sizes."""

import json
import os
import subprocess
import sys

import pytest
import torch

from paths import REPOSITORY
from zimage_core.recipes import FullConfig, LoraConfig
from zimage_core.training.objectives.compiled_blocks import written_attention
from zimage_core.training.placed import refuse_compiling, refuse_streaming

CPU = torch.device("cpu")
GIVEN = {"model": "nano", "data": REPOSITORY, "out": REPOSITORY / "x.safetensors"}


def compiled_run(*arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    script = REPOSITORY / "tests" / "helpers" / "compiled_run.py"
    done = subprocess.run([sys.executable, script, *map(str, arguments)], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "most"), [("full", 1), ("edits", 3), ("lora", 3), ("int8", 3)])
def test_all_blocks_and_sizes_share_a_few_graphs_and_their_gradients_are_the_same(kind, most):
    """A LoRA's three: frozen refiners, the first layer, whose input needs no gradient, and all others."""
    found = compiled_run(kind, "eager")
    assert found["graphs"][0] == found["graphs"][-1] <= most
    assert max(found["distances"]) <= 1e-5


@pytest.mark.slow
def test_a_compiled_run_learns_alike_and_resumes_to_the_same_bits(tmp_path):
    losses = compiled_run("steps", tmp_path)
    assert losses["parts"] == losses["whole"]
    assert losses["whole"][0] == pytest.approx(losses["plain"][0], rel=1e-5)
    assert losses["whole"] == pytest.approx(losses["plain"], rel=1e-3)


def test_written_attention_is_attention(generator):
    q, k, v = torch.randn(3, 2, 3, 7, 8, generator=generator, dtype=torch.float64)
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    torch.testing.assert_close(written_attention(q, k, v), expected, rtol=1e-6, atol=1e-6)


def test_what_cannot_be_compiled_is_refused_in_a_sentence(monkeypatch):
    config = FullConfig(**GIVEN, compile=True)
    with pytest.raises(ValueError, match="compiled in one process only"):
        refuse_compiling(config, CPU, 2)
    with pytest.raises(ValueError, match="2 layers are to stream, and such are not compiled"):
        refuse_streaming(LoraConfig(**GIVEN, compile=True, stream=2), 8)

    def missing(function):
        raise RuntimeError("No working compiler found\npages of source")

    monkeypatch.setattr(torch, "compile", missing)
    with pytest.raises(ValueError, match="here PyTorch says: No working compiler found; install what is missing"):
        refuse_compiling(config, CPU)
    refuse_compiling(FullConfig(**GIVEN), CPU)

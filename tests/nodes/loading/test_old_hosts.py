"""Where ComfyUI has no int8 layers, as before 0.27, nothing offers them and everything runs without."""

import importlib
import json
import re
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from native_pictures import draw

INT8 = "int8 (faster, not exact)"
WHY = r"ComfyUI [\d.]+ has no int8 layers, which came with 0\.27; update ComfyUI to use them"


@pytest.fixture
def old(comfy, monkeypatch):
    quant_ops = importlib.import_module("comfy.quant_ops")
    monkeypatch.delitem(quant_ops.QUANT_ALGOS, "int8_tensorwise")


@pytest.fixture(scope="module")
def at(pack) -> SimpleNamespace:
    def module(name):
        return importlib.import_module(f"{pack.entry.__name__}.nodes.{name}")

    return SimpleNamespace(
        loaders=module("loaders"), node=module("optimize"), optimize=module("bridge.patches.optimize"),
        host=module("bridge.loading.host"), files=module("bridge.loading.files"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def file(native, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "zimage.safetensors"
    save_file(native.weights(), path)
    return str(path)


def test_the_loader_loads_the_file_as_it_is_and_says_so(native, at, pack, file, old, monkeypatch, caplog):
    monkeypatch.setattr(at.files, "path_of", lambda network, name: file)
    output = at.loaders.ZImageModelLoader.execute(model_name="zimage.safetensors", precision=INT8)
    (model,), (text,) = output.result, output.ui.as_dict()["text"]
    assert torch.equal(draw(native, model), draw(native, pack.bridge_model.load_model(file)))
    assert re.fullmatch(rf"Loaded as the file is, not in int8, because {WHY}\.", text)
    assert [record.getMessage() for record in caplog.records if record.name == "zimage"] == [
        f"Z-Image: zimage.safetensors is loaded as it is, not in int8, because {text.partition('because ')[2][:-1]}"
    ]


def test_optimize_reports_that_it_refused_and_goes_on(native, at, pack, file, old):
    model = pack.bridge_model.load_model(file)
    optimized, report = at.optimize.optimize(model, INT8, at.optimize.COMFYUI, at.optimize.OFF, at.optimize.STEPS)
    assert re.match(rf"precision: int8 refused, because {WHY}\n", report)
    assert "caching: steps at which" in report
    assert torch.equal(draw(native, optimized, steps=1), draw(native, model, steps=1))


@pytest.mark.parametrize("name", ["loaders.ZImageModelLoader", "node.ZImageOptimize"])
def test_int8_is_not_offered_but_a_saved_graph_with_it_is_valid(at, old, name):
    file, _, node = name.partition(".")
    node = getattr(getattr(at, file), node)
    assert INT8 not in json.dumps(node.INPUT_TYPES())
    assert node.validate_inputs(precision=INT8) is True
    assert node.validate_inputs(precision=None) is True  # as ComfyUI asks where another node feeds the widget
    assert node.validate_inputs(precision="int9").startswith("'int9' is not one of ")


@pytest.mark.parametrize("name", ["loaders.ZImageModelLoader", "node.ZImageOptimize"])
def test_it_is_offered_where_it_can_be_done(at, name):
    file, _, node = name.partition(".")
    assert INT8 in json.dumps(getattr(getattr(at, file), node).INPUT_TYPES())
    assert at.host.int8_refusal() is None


@pytest.mark.parametrize(
    ("version", "n_lines"), [("0.14.1", 1), ("0.9", 1), ("0.16.0", 0), ("0.30.0", 0), ("1.0.0-rc1", 0)]
)
def test_a_comfyui_nobody_tested_it_with_gets_one_sentence(at, monkeypatch, caplog, version, n_lines):
    monkeypatch.setattr(at.host, "VERSION", version)
    at.host.warn_if_untested()
    told = [record.getMessage() for record in caplog.records if record.name == "zimage"]
    assert (
        told == [f"Z-Image: tested with ComfyUI 0.16 and newer, this is {version}; update it if a node fails"] * n_lines
    )

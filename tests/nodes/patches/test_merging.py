"""Z-Image Merge on MODELs of ours and ComfyUI's: pictures of merged weights, as stock nodes merge and as files are.

References are ComfyUI's own ModelMergeSimple, and checkpoints that hold the merged weights.
"""

import importlib

import pytest
import torch
from safetensors.torch import save_file

import loras
import tiny
from zimage_core.merging import Merge, Method, open_merge, parse_source, write_merged_model
from zimage_core.model import S3DiT

PADS = ("x_pad_token", "cap_pad_token")


@pytest.fixture(scope="module")
def folder(comfy, lora_folder, tmp_path_factory):
    """A models/diffusion_models of the tests' own, with the base and two fine-tunes; a LoRA is in models/loras."""
    import folder_paths

    import native

    place = tmp_path_factory.mktemp("diffusion_models")
    folder_paths.add_model_folder_path("diffusion_models", str(place), is_default=True)
    base = native.weights()
    save_file(base, place / "base.safetensors")
    for seed, name in ((6, "tuned_1"), (7, "tuned_2")):
        other = tiny.fill(S3DiT(native.CONFIG), seed).state_dict()
        save_file({key: (3 * base[key] + other[key]) / 4 for key in base}, place / f"{name}.safetensors")
    drawn = loras.pairs(native.CONFIG)
    save_file(loras.keyed(drawn, lambda name: "transformer." + name, loras.A, loras.B), lora_folder / "a.safetensors")
    return place


@pytest.fixture(scope="module")
def load(pack, folder):
    """A MODEL of ours by its file's name."""
    return lambda name: pack.bridge_model.load_model(str(folder / f"{name}.safetensors"))


@pytest.fixture(scope="module")
def merge(pack, folder):
    """Our node's call."""
    node = importlib.import_module(f"{pack.entry.__name__}.nodes.merging").ZImageMerge

    def call(model, other=None, weight=0.5, blocks="", files="", method="sum", density=0.0, seed=0):
        inputs = {"weight": weight, "blocks": blocks, "files": files, "method": method, "density": density}
        return node.execute(model=model, other_model=other, seed=seed, **inputs).result

    return call


@pytest.fixture(scope="module")
def merged_file(folder, lora_folder, load):
    """The MODEL of a file that the core's merge has written."""

    def call(*written, method):
        sources = [parse_source(str((lora_folder if each.startswith("a.") else folder) / each)) for each in written]
        made = Merge(sources=tuple(sources), base=folder / "base.safetensors", method=method)
        write_merged_model(open_merge(made), folder / "written.safetensors", {}, lambda name: None)
        return load("written")

    return call


@pytest.fixture(scope="module")
def base_picture(load, draw):
    with torch.inference_mode():
        return draw(load("base"))


def same(found, expected, tolerance=1e-4):
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)


def stock_merge(one, two, ratio):
    merging = importlib.import_module("comfy_extras.nodes_model_merging")
    return merging.ModelMergeSimple().merge(one, two, ratio)[0]


def with_pads_of(native, model, other):
    """The stock node leaves the pad tokens as they are, so both get the same."""
    for name in PADS:
        getattr(other.model.diffusion_model, name).data.copy_(getattr(model.model.diffusion_model, name))
    return other


@pytest.mark.parametrize("kind", ["ours", "stock", "attached"])
def test_a_weighted_sum_is_what_the_stock_node_makes_of_it(pack, native, folder, load, merge, draw, kind):
    one = load("base") if kind == "ours" else native.model()
    two = with_pads_of(native, one, load("tuned_1"))
    if kind == "attached":
        one = pack.bridge_attach.attach(one)
    before = draw(one)
    found, report = merge(one, two, weight=0.25)
    picture = draw(found)
    assert torch.equal(picture, draw(stock_merge(one, two, 0.75)))
    assert (picture - before).abs().max() > 1e-3
    assert torch.equal(draw(one), before)  # taken away, it leaves no trace
    assert report == "other_model, fine-tune: 0.25\nWeighted sum"


def test_the_ends_are_the_models_themselves(load, merge, draw):
    one, two = load("base"), load("tuned_1")
    assert merge(one, two, weight=0)[0] is one
    assert torch.equal(draw(merge(one, two, weight=1)[0]), draw(two))
    assert merge(one)[0] is one


@pytest.mark.parametrize(
    "method", [Method(), Method("ties", 0.2), Method("dare", 0.5, 3)], ids=lambda method: method.name
)
def test_models_files_and_loras_by_blocks_draw_the_picture_of_the_merged_file(
    load, merge, merged_file, draw, base_picture, method
):
    one, two = load("base"), load("tuned_1")
    written = "tuned_2.safetensors : 0.4 blocks 0=0\na.safetensors : 0.5 blocks 1=0.5"
    found, report = merge(
        one, two, 0.6, "noise_refiner=0 1=0.5", written, method.name, density=method.density, seed=method.seed
    )
    picture = draw(found)
    expected = merged_file(
        *("tuned_1.safetensors:0.6 blocks noise_refiner=0 1=0.5", "tuned_2.safetensors:0.4 blocks 0=0"),
        "a.safetensors:0.5 blocks 1=0.5",
        method=method,
    )
    same(picture, draw(expected), 1e-3 if method.name == "sum" else 5e-3)
    assert "a.safetensors, LoRA: 0.5 blocks 1=0.5" in report
    assert torch.equal(draw(one), base_picture)


def test_the_other_models_own_loras_come_along(load, merge, use, draw):
    two, _ = use(load("tuned_1"), ("a.safetensors", 0.5))
    for method in ("sum", "dare"):
        same(draw(merge(load("base"), two, weight=1.0, method=method, density=1.0)[0]), draw(two))


def test_a_name_in_both_folders_is_not_guessed(merge, load, folder, lora_folder):
    (lora_folder / "tuned_2.safetensors").write_bytes((lora_folder / "a.safetensors").read_bytes())
    try:
        with pytest.raises(ValueError, match="Line 1: tuned_2.safetensors is in both models/diffusion_models and"):
            merge(load("base"), files="tuned_2.safetensors : 0.5")
    finally:
        (lora_folder / "tuned_2.safetensors").unlink()


def test_what_cannot_be_merged_is_told_in_a_sentence(pack, load, merge, native, tmp_path):
    node = importlib.import_module(f"{pack.entry.__name__}.nodes.merging").ZImageMerge
    assert node.validate_inputs(files="tuned_1.safetensors : 0.5") is True
    assert "no file tuned_l.safetensors in models/diffusion_models or models/loras" in node.validate_inputs(
        "tuned_l.safetensors"
    )
    assert "'x', not a number" in node.validate_inputs(files="tuned_1.safetensors : x")
    with pytest.raises(ValueError, match="other_model is not of the same architecture as model: "):
        save_file(tiny.dit().state_dict(), tmp_path / "z_image.safetensors")
        merge(load("base"), pack.bridge_model.load_model(str(tmp_path / "z_image.safetensors")))
    with pytest.raises(ValueError, match="after blocks stands '9', not a block"):
        merge(load("base"), load("tuned_1"), blocks="9")
    with pytest.raises(ValueError, match="the same at all steps"):
        merge(load("base"), files="tuned_1.safetensors : 0.2>1")

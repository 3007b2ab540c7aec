"""Pictures and masks of any kind another node sends: each gives what its plain RGB form gives, or one sentence."""

import importlib

import pytest
import torch

import tiny


def grey(n=1):
    return torch.rand(n, 32, 48, 1, generator=torch.Generator().manual_seed(1))


KINDS = {  # as sent, and as it should be read
    "grey": lambda: (grey(), grey().repeat(1, 1, 1, 3)),
    "grey with alpha": lambda: (torch.cat((grey(), 1 - grey()), dim=-1), grey().repeat(1, 1, 1, 3)),
    "RGBA": lambda: (torch.cat((grey().repeat(1, 1, 1, 3), 1 - grey()), dim=-1), grey().repeat(1, 1, 1, 3)),
    "float16": lambda: (grey().half().repeat(1, 1, 1, 3), grey().half().float().repeat(1, 1, 1, 3)),
    "a grey batch": lambda: (grey(2), grey(2).repeat(1, 1, 1, 3)),
}
WRONG = {
    "empty": (torch.zeros(0, 32, 48, 3), "There is no picture"),
    "without a batch": (torch.zeros(32, 48, 3), r"shape \(32, 48, 3\), but a batch of pictures has four dimensions"),
    "NaN": (torch.zeros(2, 32, 48, 3).index_fill(1, torch.tensor([5]), torch.nan), "no numbers .NaN.*--bf16"),
    "infinite": (torch.full((1, 32, 48, 3), torch.inf), "no numbers .NaN."),
    "video": (torch.zeros(1, 2, 32, 48, 3), "a batch of pictures has four dimensions"),
}


@pytest.fixture(scope="module")
def pictures(pack):
    return importlib.import_module("zimage_pack.nodes.bridge.loading.pictures")


@pytest.fixture(scope="module")
def uses(pack, vae, nodes):
    """Every node that reads a picture, but for Control's (tests/nodes/patches)."""
    editing = importlib.import_module("zimage_pack.nodes.bridge.tasks.editing")
    vision = importlib.import_module("zimage_pack.nodes.bridge.loading.vision")
    tower = type("Tower", (), {"config": tiny.VISION})
    return {
        "VAE Encode": lambda it: pack.bridge_images.encode(vae, it)["samples"],
        "Image to Image": lambda it: nodes.ZImageImageToImage.execute(it, vae, 0.0, 1).result[0]["samples"],
        "Edit Encode": lambda it: torch.cat(editing.encode_references(vae, None, editing.split_batches([it]))[0]),
        "Inpaint": lambda it: nodes.ZImageInpaint.execute(
            it, torch.ones(1, 32, 48), vae, grow=0, feather=0, megapixels=0.0, fill="original", context=1.0
        ).result[0]["samples"],
        "vision": lambda it: torch.stack([vision.prepare(each, tower.config) for each in vision.rgb(it)]),
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("use", ["VAE Encode", "Image to Image", "Edit Encode", "Inpaint", "vision"])
def test_every_kind_of_picture_is_read_as_its_colours(uses, use, kind):
    sent, read = KINDS[kind]()
    torch.testing.assert_close(uses[use](sent), uses[use](read), atol=1e-3 if kind == "float16" else 0, rtol=0)


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("use", ["VAE Encode", "Image to Image", "Edit Encode", "Inpaint", "vision"])
def test_what_is_no_picture_is_a_sentence(uses, use, kind):
    sent, sentence = WRONG[kind]
    with pytest.raises(ValueError, match=sentence):
        uses[use](sent)


def test_masks_of_every_shape_and_type_become_a_batch(pictures):
    mask = torch.rand(32, 48).round()
    for sent in (mask, mask[None], mask[None, None], mask[None].half(), mask.bool()):
        assert torch.equal(pictures.mask_batch(sent), mask[None])
    for sent, sentence in (
        (torch.zeros(0, 4, 4), "There is no mask"),
        (None, "no mask"),
        (torch.ones(3), "height and"),
        (torch.full((1, 4, 4), torch.nan), "The mask connected here holds values that are no numbers"),
    ):
        with pytest.raises(ValueError, match=sentence):
            pictures.mask_batch(sent)

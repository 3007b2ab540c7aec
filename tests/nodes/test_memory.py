"""Five prompts in a row leave no tensor behind: what lives afterwards is what lived after the first."""

import gc

import pytest
import torch


@pytest.fixture(scope="module")
def parts(pack):
    """The built-in networks, loaded once."""
    from zimage_core.checkpoints.parts import DIT, TEXT_ENCODER, VAE

    files = pack.bridge_files
    paths = {part: files.path_of(part, files.BUILT_IN) for part in (DIT, TEXT_ENCODER, VAE)}
    return (
        pack.bridge_model.load_model(paths[DIT]),
        pack.bridge_text.load_text_encoder(paths[TEXT_ENCODER], files.BUILT_IN_TOKENIZER),
        pack.bridge_vae.load_vae(paths[VAE]),
    )


def draw(pack, parts, prompt, side=8):
    """Encode, sample with guidance, decode, as the nodes do; only the picture's brightness is kept."""
    model, clip, vae = parts
    sampling = pack.bridge_sampling
    positive, _ = pack.bridge_prompts.encode(clip, prompt, is_cut=True, remember="off")
    negative, _ = pack.bridge_prompts.encode(clip, "", is_cut=True, remember="off")
    latent = {"samples": torch.zeros(1, 16, side, side)}
    sigmas = pack.groups[3].shifted_schedule(4, 3.0, 1.0)
    settings = {"sigmas": sigmas, "seed": 1, "solver": "euler", "guidance": sampling.Guidance(cfg=3.0)}
    drawn, *_ = sampling.sample(model, positive, negative, latent, **settings)
    return vae.decode(drawn["samples"]).mean().item()


def alive():
    """Bytes of all tensors in this process, each storage once."""
    gc.collect()
    storages = {}
    for thing in gc.get_objects():
        if type(thing) in (torch.Tensor, torch.nn.Parameter):
            storage = thing.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


def test_memory_is_back_where_it_was_after_every_prompt(pack, parts):
    """Both sizes are drawn before: kernels keep constants of the last sixteen lengths they met, a few kilobytes."""
    first = draw(pack, parts, "a red heart")
    draw(pack, parts, "a red heart", side=12)
    after_first = alive()
    pictures = [draw(pack, parts, f"a large {colour} circle") for colour in ("blue", "green", "yellow", "pink")]
    assert len({first, *pictures}) == 5
    assert alive() == after_first
    draw(pack, parts, "a red heart", side=12)
    assert alive() == after_first
    assert draw(pack, parts, "a red heart") == first

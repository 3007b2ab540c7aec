"""Seeds of a batch: the pictures of one run are those that ComfyUI's noise gives for each seed alone."""

import pytest
import torch

SEED = 2**64 - 2  # counting up from it passes the last seed


@pytest.fixture(scope="module")
def sample(pack, native, tmp_path_factory):
    model = native.ours(pack, tmp_path_factory.mktemp("model"))

    def call(latent, **changes):
        settings = {"steps": 3, "seed": SEED, "solver": "euler", "shift": 3.0, "strength": 1.0, **changes}
        node = pack.groups[3].ZImageTurboSampler
        out = node.execute(model=model, positive=native.conditioning(17, 1), latent=latent, **settings)
        return out.result[0], out.ui

    return call


def empty(n, **more):
    return {"samples": torch.zeros(n, 16, 4, 6), **more}


def test_each_picture_of_a_batch_is_that_of_its_seed_alone(sample):
    batch, _ = sample(empty(4), seed_per_picture=True)
    for number, seed in enumerate([2**64 - 2, 2**64 - 1, 0, 1]):
        alone, _ = sample(empty(1), seed=seed)
        torch.testing.assert_close(batch["samples"][number : number + 1], alone["samples"], rtol=0, atol=2e-5)


def test_off_the_batch_has_comfyuis_noise(comfy, pack):
    import comfy.sample

    noise = pack.bridge_noise
    expected = comfy.sample.prepare_noise(torch.zeros(3, 16, 4, 6), 5, None)
    assert torch.equal(noise.batch_noise(torch.zeros(3, 16, 4, 6), 5, None), expected)
    assert torch.equal(noise.noise_per_picture(torch.zeros(1, 16, 4, 6), 5, None), expected[:1])
    assert not torch.equal(noise.noise_per_picture(torch.zeros(3, 16, 4, 6), 5, None)[1:], expected[1:])


def test_a_picture_taken_from_a_batch_keeps_its_seed(sample):
    whole, _ = sample(empty(3), seed=5, seed_per_picture=True)
    taken, _ = sample(empty(1, batch_index=[2]), seed=5, seed_per_picture=True)
    torch.testing.assert_close(taken["samples"], whole["samples"][2:], rtol=0, atol=2e-5)


def test_the_page_is_told_the_seeds_in_words_as_javascript_rounds_such_numbers(sample):
    _, ui = sample(empty(3), seed_per_picture=True)
    assert ui["zimage_run"][0]["seeds"] == "18446744073709551614, 18446744073709551615, 0"
    assert "seeds" not in sample(empty(3))[1]["zimage_run"][0]
    assert "seeds" not in sample(empty(1), seed_per_picture=True)[1]["zimage_run"][0]

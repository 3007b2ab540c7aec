"""Z-Image Edit Encode against ComfyUI's own TextEncodeZImageOmni, and what it says of bad input."""

import importlib

import pytest
import torch


@pytest.fixture(scope="module")
def nano(pack):
    """The built-in networks through our loaders."""
    from zimage_core.checkpoints import DIT, TEXT_ENCODER, VAE, VISION

    files = pack.bridge_files
    tokenizer = files.BUILT_IN_TOKENIZER
    paths = {part: files.path_of(part, files.BUILT_IN) for part in (DIT, TEXT_ENCODER, VAE, VISION)}
    return {
        "model": pack.bridge_model.load_model(paths[DIT]),
        "clip": pack.bridge_text.load_text_encoder(paths[TEXT_ENCODER], tokenizer),
        "vae": pack.bridge_vae.load_vae(paths[VAE]),
        "vision": pack.bridge_vision.load_vision(paths[VISION]),
    }


@pytest.fixture
def encode(pack, nano):
    """The node's call with its defaults."""
    node = pack.editing.ZImageEditEncode

    def call(*images, prompt="make the circle red", **changes):
        inputs = {
            "clip": nano["clip"],
            "vae": nano["vae"],
            "clip_vision": nano["vision"],
            "prompt": prompt,
            "negative_prompt": "",
            "images": {f"image{index}": image for index, image in enumerate(images)},
            **{each.id: each.default for each in node.define_schema().inputs if hasattr(each, "options")},
            "megapixels": 1.0,
            **changes,
        }
        return node.execute(**inputs).result

    return call


def picture(width, height, generator, channels=3):
    return torch.rand(1, height, width, channels, generator=generator)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_conditioning_is_the_stock_nodes_on_the_same_pictures(encode, nano, n, generator):
    from comfy_extras.nodes_zimage import TextEncodeZImageOmni

    pictures = [picture(64, 48 + 16 * index, generator) for index in range(n)]
    stock = TextEncodeZImageOmni.execute(
        nano["clip"],
        "make the circle red",
        image_encoder=nano["vision"],
        auto_resize_images=False,
        vae=nano["vae"],
        **{f"image{index + 1}": each for index, each in enumerate(pictures)},
    )
    [[expected, values]] = stock.result[0]
    [[found, more]], *_ = encode(*pictures, reading="ComfyUI")
    assert torch.equal(found, expected)
    for key in ("reference_latents", "reference_latents_text_embeds"):
        assert len(more[key]) == len(values[key])
        assert all(map(torch.equal, more[key], values[key]))
    for one, other in zip(more["clip_vision_outputs"], values["clip_vision_outputs"], strict=True):
        assert torch.equal(one.last_hidden_state, other.last_hidden_state)
        assert list(map(tuple, one.image_sizes)) == list(map(tuple, other.image_sizes))


def draw(comfy, model, positive, negative, latent):
    return comfy.sample.sample(
        model,
        comfy.sample.prepare_noise(latent["samples"], 7),
        steps=2,
        cfg=3.0,
        sampler_name="euler",
        scheduler="simple",
        positive=positive,
        negative=negative,
        latent_image=latent["samples"],
        disable_pbar=True,
        seed=7,
    )


@pytest.mark.slow
def test_stock_conditioning_draws_our_nodes_picture_under_the_same_reading(comfy, encode, nano, generator):
    from comfy_extras.nodes_zimage import TextEncodeZImageOmni

    reference = picture(64, 64, generator)
    stock = [
        TextEncodeZImageOmni.execute(
            nano["clip"], words, nano["vision"], auto_resize_images=False, vae=nano["vae"], image1=reference
        ).result[0]
        for words in ("make the circle red", "")
    ]
    positive, negative, latent, _ = encode(reference, reading="ComfyUI")
    assert latent["samples"].shape == (1, 16, 8, 8)
    ours = draw(comfy, nano["model"], positive, negative, latent)
    assert torch.equal(draw(comfy, nano["model"], *stock, latent), ours)
    other = draw(comfy, nano["model"], *encode(reference, reading="reference")[:3])
    assert not torch.allclose(other, ours, atol=1e-3)


def test_every_picture_of_every_batch_is_looked_at_in_order(encode, generator):
    pictures = [picture(32, 32, generator) for _ in range(8)]
    [[_, apart]], *_ = encode(*pictures)
    [[_, together]], *_ = encode(torch.cat(pictures[:5]), torch.cat(pictures[5:]))
    assert len(apart["reference_latents"]) == 8
    assert len(apart["reference_latents_text_embeds"]) == 9
    assert all(map(torch.equal, apart["reference_latents"], together["reference_latents"]))


@pytest.mark.parametrize("size_of", ["first picture", "last picture"])
def test_sides_are_cropped_to_whole_patches_and_give_the_results_size(encode, size_of, generator):
    pictures = picture(51, 37, generator), picture(83, 20, generator)
    [[_, values]], _, latent, report = encode(*pictures, size_of=size_of)
    sizes = [tuple(each.shape[-2:]) for each in values["reference_latents"]]
    assert sizes == [(4, 6), (2, 10)]
    assert tuple(latent["samples"].shape[-2:]) == sizes[0 if size_of == "first picture" else -1]
    assert report.startswith("2 pictures (48x32, 80x16) as latents and vision features; prompt: ")


def test_large_pictures_are_shrunk_to_the_asked_area(encode, generator):
    [[_, values]], _, latent, _ = encode(picture(300, 200, generator), megapixels=0.01)
    assert latent["samples"].shape[-2:] == values["reference_latents"][0].shape[-2:] == (10, 14)
    [[_, kept]], *_ = encode(picture(300, 200, generator), megapixels=0.0)
    assert kept["reference_latents"][0].shape[-2:] == (24, 36)


def test_transparency_is_left_out(encode, generator):
    opaque = picture(32, 32, generator)
    alpha = torch.cat((opaque, torch.zeros(1, 32, 32, 1)), dim=-1)
    [[_, plain]], *_ = encode(opaque)
    [[_, transparent]], *_ = encode(alpha)
    assert torch.equal(plain["reference_latents"][0], transparent["reference_latents"][0])
    one, other = (values["clip_vision_outputs"][0].last_hidden_state for values in (plain, transparent))
    assert torch.equal(one, other)


def test_without_a_vision_model_the_latents_are_looked_at_alone(comfy, encode, nano, generator):
    positive, negative, latent, report = encode(picture(64, 64, generator), clip_vision=None)
    assert "latents only" in report
    assert draw(comfy, nano["model"], positive, negative, latent).isfinite().all()


def test_ignored_pictures_leave_the_conditioning_of_the_words_alone(pack, encode, nano, generator):
    words = "a large red circle"
    expected, _ = pack.bridge_prompts.encode(nano["clip"], words, is_cut=False)
    positive, _, latent, report = encode(picture(64, 32, generator), prompt=words, pictures="ignore")
    assert torch.equal(positive[0][0], expected[0][0])
    assert positive[0][1].keys() == expected[0][1].keys()
    assert latent["samples"].shape == (1, 16, 4, 8)
    assert "no picture is looked at" in report
    assert encode(prompt=words, pictures="ignore", megapixels=0.004)[2]["samples"].shape == (1, 16, 8, 8)


def test_the_original_pictures_are_not_touched(encode, generator):
    original = picture(50, 40, generator)
    kept = original.clone()
    encode(original)
    assert torch.equal(original, kept)


class Other:
    """A VAE of another model."""

    first_stage_model = True
    latent_channels = 4

    def spacial_compression_decode(self):
        return 8


REFUSED = {
    "no picture": ({}, (), "No picture is connected to look at"),
    "one pixel": ({}, [(1, 1)], "Picture 1 has 1x1 pixels, too few"),
    "a ribbon": ({}, [(64, 64), (640, 8)], "Picture 2 has 640x8 pixels, too few"),
    "larger than memory": ({"megapixels": 0.0}, [(5000, 3500)], "Picture 1 has 5000x3500 pixels, more than the 16"),
    "another VAE": ({"vae": Other()}, [(64, 64)], "This VAE makes latents of 4 channels"),
    "no VAE": ({"vae": None}, [(64, 64)], "No VAE is connected"),
    "no text encoder": ({"clip": None}, [(64, 64)], "No text encoder is connected"),
}


@pytest.mark.parametrize(("changes", "sizes", "sentence"), REFUSED.values(), ids=REFUSED)
def test_bad_input_gets_one_clear_sentence(encode, changes, sizes, sentence, generator):
    pictures = [torch.zeros(1, 1, 1, 3).expand(1, height, width, 3) for width, height in sizes]
    with pytest.raises(ValueError, match=sentence):
        encode(*pictures, **changes)


def test_a_connected_model_that_cannot_look_is_refused_here(encode, pack, tmp_path, generator):
    import native

    turbo = native.ours(pack, tmp_path)
    with pytest.raises(ValueError, match="cannot look at reference pictures"):
        encode(picture(64, 64, generator), model=turbo)
    with pytest.raises(ValueError, match="cannot look at reference pictures"):
        encode(picture(64, 64, generator), model=native.model())


def test_latents_alone_are_for_a_model_without_a_vision_branch(comfy, pack, encode, tmp_path, generator):
    """What it is conditioned on is what the core's network is trained on: the same chunks, the latent, no features."""
    import native

    base = native.ours(pack, tmp_path)
    positive, _, latent, report = encode(picture(64, 64, generator), model=base, pictures="look at their latents")
    [[caption, values]] = positive
    assert values["clip_vision_outputs"] == [] and "latents only, as chosen" in report
    network, dtype = base.model.diffusion_model, torch.float32
    width = network.config.cap_feat_dim
    caption, *chunks = (
        torch.nn.functional.pad(each.to(dtype), (0, width - each.shape[-1]))
        for each in (caption, *values["reference_latents_text_embeds"])
    )
    values = {**values, "reference_latents_text_embeds": chunks}
    calls = []
    hook = network.register_forward_hook(lambda module, args, kwargs, out: calls.append((args, out)), with_kwargs=True)
    draw(comfy, base, [[caption, values]], [[caption, values]], latent)
    hook.remove()
    (x, time, *_), velocity = calls[0]
    reference = base.get_model_object("latent_format").process_in(values["reference_latents"][0])[0]
    before, after = (each[0] for each in chunks)
    expected = pack.core_model.S3DiT.forward(
        network, x[:1], time[:1], [[before, caption[0], after]], references=[[(reference, None)]]
    )
    torch.testing.assert_close(velocity[:1], expected, atol=1e-4, rtol=1e-4)


def test_a_connected_model_that_can_look_is_taken(encode, nano, generator):
    encode(picture(64, 64, generator), model=nano["model"])


def test_vision_features_of_another_model_are_refused_by_width(comfy, encode, nano, generator):
    positive, negative, latent, _ = encode(picture(64, 64, generator))
    for prompt in (positive, negative):
        output = prompt[0][1]["clip_vision_outputs"][0]
        prompt[0][1]["clip_vision_outputs"] = [doubled_width(output)]
    with pytest.raises(ValueError, match="The vision features are 96 wide, but this model reads 48"):
        draw(comfy, nano["model"], positive, negative, latent)


def doubled_width(output):
    """A vision output with features of twice the width."""
    from comfy.clip_vision import Output

    out = Output()
    out["last_hidden_state"] = output.last_hidden_state.repeat(1, 1, 2)
    out["image_sizes"] = output.image_sizes
    return out


def test_a_picture_too_narrow_once_it_is_shrunk_is_told_what_is_left_of_it(pack):
    editing = importlib.import_module(f"{pack.entry.__name__}.nodes.bridge.tasks.editing")
    with pytest.raises(ValueError, match=r"Picture 1 has 4000x100 pixels, so long and narrow that \d+x\d+ are left"):
        editing.shrink_to_limit(torch.zeros(1, 100, 4000, 3), 0, 0.004)

"""Our ControlNet nodes in ComfyUI: ComfyUI's own image under its implementation, and what it has no node for."""

import importlib
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

RELEASES = {
    "1.0": {"n_control_layers": 6},
    "2.0": {"n_control_layers": 15, "additional_in_dim": 17, "refiner_control": True, "broken": True},
    "2.1": {"n_control_layers": 15, "additional_in_dim": 17, "refiner_control": True},
    "2.1 lite": {"n_control_layers": 3, "additional_in_dim": 17, "refiner_control": True},
}
COMPUTATIONS = ("author", "diffusers", "comfyui")


@pytest.fixture(scope="module")
def bridge(pack):
    def load(name):
        return importlib.import_module(f"zimage_pack.nodes.{name}")

    return SimpleNamespace(
        nodes=load("control"),
        control=load("bridge.patches.control"),
        net=load("bridge.loading.control_net"),
        run=load("bridge.network.control_hints"),
        attach=load("bridge.network.attach"),
    )


@pytest.fixture(scope="module")
def deep(pack, native, bridge, tmp_path_factory):
    """Thirty layers, as ComfyUI's hinted layers assume: ComfyUI's MODEL, ours, and ComfyUI's with our forward."""
    config = replace(native.CONFIG, n_layers=30)
    stock = native.model(config)
    ours = native.ours(pack, tmp_path_factory.mktemp("deep"), config)
    return SimpleNamespace(native=stock, ours=ours, attached=bridge.attach.attach(stock))


@pytest.fixture(scope="module")
def vae(pack):
    return pack.bridge_vae.load_vae(pack.bridge_files.path_of(pack.core_networks.VAE, pack.bridge_files.BUILT_IN))


@pytest.fixture(scope="module")
def patches(comfy, bridge, tmp_path_factory):
    """A release's MODEL_PATCH as the stock loader makes it, and as ours makes it of the same weights."""
    import comfy.ldm.lumina.controlnet
    import comfy.model_patcher
    import comfy.ops

    import tiny

    folder = tmp_path_factory.mktemp("model_patches")

    def make(name):
        network = comfy.ldm.lumina.controlnet.ZImage_Control(
            dim=256,
            n_heads=8,
            n_kv_heads=8,
            **RELEASES[name],
            dtype=torch.float32,
            device="cpu",
            operations=comfy.ops.manual_cast,
        )
        tiny.fill(network, 9)
        cpu = torch.device("cpu")
        stock = comfy.model_patcher.CoreModelPatcher(network, load_device=cpu, offload_device=cpu)
        state = network.state_dict()
        if network.broken:  # so that the file says what the attribute does
            state["control_noise_refiner.0.after_proj.weight"] = torch.zeros(256, 256)
        file = folder / f"{name}.safetensors"
        save_file({key: value.clone() for key, value in state.items()}, file)
        return SimpleNamespace(stock=stock, ours=bridge.net.load_control(str(file)))

    return cache(make)


@pytest.fixture
def lite(patches):
    return patches("2.1 lite")


@pytest.fixture
def calls(lite):
    """Every run of the first control layer in our lite network."""
    seen = []
    hook = lite.ours.model.control_layers[0].register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    yield seen
    hook.remove()


def picture(seed, count=1, size=64):
    return torch.rand(count, size, size, 3, generator=torch.Generator().manual_seed(seed))


MASK = torch.zeros(1, 64, 64)
MASK[:, 16:40, 8:48] = 1

PICTURES = {
    "control": {"image": picture(2)},
    "repaint": {"inpaint_image": picture(3), "mask": MASK},
    "both": {"image": picture(2), "inpaint_image": picture(3), "mask": MASK},
}


def draw(native, model, *, steps=1, cfg=1.0, size=(8, 8), batch=1, captions=(17, 40)):
    (out,) = (
        importlib.import_module("nodes")
        .KSampler()
        .sample(
            model=model,
            seed=7,
            steps=steps,
            cfg=cfg,
            sampler_name="euler",
            scheduler="simple",
            positive=native.conditioning(captions[0], 1),
            negative=native.conditioning(captions[1], 2),
            latent_image={"samples": torch.zeros(batch, 16, *size)},
        )
    )
    return out["samples"]


def stock_node(model, patch, vae, **inputs):
    node = importlib.import_module("comfy_extras.nodes_model_patch").ZImageFunControlnet
    return node().diffsynth_controlnet(model=model, model_patch=patch, vae=vae, **inputs)[0]


@pytest.fixture(scope="module")
def steer(bridge, vae):
    """Our node, as the executor calls it."""

    def call(model, patch, **inputs):
        settings = {"strength": 0.8, "start_percent": 0.0, "end_percent": 1.0, "computation": "author", "vae": vae}
        return bridge.nodes.ZImageControl.execute(model=model, control_net=patch, **{**settings, **inputs}).result[0]

    return call


def same(found, expected, tolerance=1e-4):
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)


# --- native's picture ---


@pytest.mark.parametrize("pictures", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize("release", RELEASES)
def test_under_its_computation_the_picture_is_comfyuis_own(native, deep, patches, vae, steer, release, pictures):
    """On native's layers, and on ours with the published epsilon in their norms."""
    if release == "1.0" and "mask" in pictures:
        pytest.skip("1.0 has no channels for it")
    patch = patches(release)
    expected = draw(native, stock_node(deep.native, patch.stock, vae, strength=0.7, **pictures))
    ours = {"strength": 0.7, "computation": "comfyui", **pictures}
    same(draw(native, steer(deep.attached, patch.stock, **ours)), expected)
    same(draw(native, steer(deep.ours, patch.ours, **ours)), expected)
    assert (expected - draw(native, deep.native)).abs().max() > 0.02


def test_a_control_picture_of_another_size_is_fitted_as_comfyui_fits_it(native, deep, patches, vae, steer):
    patch, inputs = patches("2.1 lite"), {"image": picture(2, size=100)[:, :90], "strength": 0.7}
    expected = draw(native, stock_node(deep.native, patch.stock, vae, **inputs))
    same(draw(native, steer(deep.attached, patch.stock, computation="comfyui", **inputs)), expected)


def test_with_guidance_both_prompts_are_steered_as_comfyui_steers_them(native, deep, patches, vae, steer):
    patch, inputs = patches("2.1 lite"), {"image": picture(2), "strength": 0.7}
    expected = draw(native, stock_node(deep.native, patch.stock, vae, **inputs), cfg=3.0, steps=2)
    found = draw(native, steer(deep.attached, patch.stock, computation="comfyui", **inputs), cfg=3.0, steps=2)
    same(found, expected, 5e-4)  # guidance magnifies threefold, twice


def test_loras_and_controls_go_together_as_in_comfyui(native, deep, lite, vae, steer):
    import comfy.sd

    generator = torch.Generator().manual_seed(11)
    lora = {
        "diffusion_model.layers.3.attention.qkv.lora_A.weight": torch.randn(4, 256, generator=generator) * 0.2,
        "diffusion_model.layers.3.attention.qkv.lora_B.weight": torch.randn(768, 4, generator=generator) * 0.2,
    }

    def with_lora(model):
        return comfy.sd.load_lora_for_models(model, None, lora, 1.0, 0.0)[0]

    inputs = {"image": picture(2), "strength": 0.7}
    expected = draw(native, stock_node(with_lora(deep.native), lite.stock, vae, **inputs))
    same(draw(native, steer(with_lora(deep.attached), lite.stock, computation="comfyui", **inputs)), expected)
    same(draw(native, with_lora(steer(deep.ours, lite.ours, computation="comfyui", **inputs))), expected)
    without = draw(native, stock_node(deep.native, lite.stock, vae, **inputs))
    assert (without - expected).abs().max() > 1e-3


# --- the core's picture ---


@pytest.mark.parametrize("computation", COMPUTATIONS)
@torch.no_grad()
def test_the_hosted_run_is_the_cores(deep, lite, steer, bridge, computation):
    """Each latent of a batch with its own control picture, for two prompts in one call."""
    network = deep.ours.model.diffusion_model
    steered = steer(deep.ours, lite.ours, image=picture(2, count=2), computation=computation)
    options = {**steered.model_options["transformer_options"], "cond_or_uncond": [0, 1]}
    generator = torch.Generator().manual_seed(5)
    latents, caption = torch.randn(2, 16, 8, 8, generator=generator), torch.randn(2, 17, 64, generator=generator)
    x, context = latents.repeat(2, 1, 1, 1), caption.repeat_interleave(2, 0)
    found = network(x, torch.full((4,), 0.625), context, transformer_options=options)

    core = importlib.import_module("zimage_pack.zimage_core.adapters")
    (patch,) = options["patches"][bridge.run.CONTROL_KEY]
    for item in range(4):
        tokens = lite.ours.model.embed(patch.encoded_image[[item % 2]])
        control = core.Control(network=lite.ours.model, tokens=tokens, strength=0.8, implementation=computation)
        condition = network.prepare([context[item]], (8, 8))
        expected = core.controlled_flow(network, condition, [control])(x[[item]], torch.tensor([0.625]))
        same(found[[item]], expected, 2e-5)


def test_the_three_computations_differ_and_the_authors_is_the_default(native, deep, lite, steer, bridge):
    drawn = {
        name: draw(native, steer(deep.ours, lite.ours, image=picture(2), computation=name)) for name in COMPUTATIONS
    }
    assert all((drawn["author"] - drawn[name]).abs().max() > 0.01 for name in ("diffusers", "comfyui"))
    schema = {each.id: each for each in bridge.nodes.ZImageControl.define_schema().inputs}
    assert (schema["computation"].default, schema["strength"].default) == ("author", 0.8)


# --- neutral elements, spans, sums ---


IDLE = {"no strength": {"strength": 0.0}, "never": {"start_percent": 0.5, "end_percent": 0.4}}


@pytest.mark.parametrize("changes", IDLE.values(), ids=IDLE)
def test_what_does_not_act_is_bit_equal_to_nothing_and_is_not_run(native, deep, lite, steer, calls, changes):
    steered = steer(deep.ours, lite.ours, image=picture(2), **changes)
    assert torch.equal(draw(native, steered, steps=2), draw(native, deep.ours, steps=2))
    assert not calls


def test_a_control_leaves_no_trace_on_the_model_it_was_given(native, deep, lite, steer):
    before = draw(native, deep.ours)
    draw(native, steer(deep.ours, lite.ours, image=picture(2)))
    assert torch.equal(draw(native, deep.ours), before)


@pytest.mark.parametrize("percents", [(0.0, 1.0), (0.0, 0.5), (0.3, 1.0), (0.3, 0.6)])
def test_the_network_runs_in_its_part_of_the_run_only(native, deep, lite, steer, calls, percents):
    import comfy.samplers

    sampling = deep.ours.get_model_object("model_sampling")
    sigmas = comfy.samplers.calculate_sigmas(sampling, "simple", 8)[:-1]
    progress = [1 - sigma / (3 - 2 * sigma) for sigma in sigmas.tolist()]  # parts of the run: the shift of 3 undone
    expected = sum(percents[0] <= at <= percents[1] for at in progress)
    start, end = percents
    draw(native, steer(deep.ours, lite.ours, image=picture(2), start_percent=start, end_percent=end), steps=8)
    assert len(calls) == expected


def test_two_nodes_in_a_row_add_up(native, deep, lite, steer):
    once = steer(deep.ours, lite.ours, image=picture(2), strength=0.75)
    half = steer(deep.ours, lite.ours, image=picture(2), strength=0.25)
    twice = steer(half, lite.ours, image=picture(2), strength=0.5)
    same(draw(native, twice), draw(native, once))
    assert (draw(native, half) - draw(native, once)).abs().max() > 0.01


# --- memory, and once per run ---


def test_the_sampler_loads_and_counts_the_network(native, deep, lite, steer):
    from comfy import model_management

    steered = steer(deep.ours, lite.ours, image=picture(2))
    assert steered.model_patches_models() == [lite.ours]
    assert lite.ours.model_size() == sum(each.nbytes for each in lite.ours.model.state_dict().values())
    model_management.unload_all_models()
    draw(native, steered)
    assert any(each.model is lite.ours.model for each in model_management.loaded_models())
    idle = steer(deep.ours, lite.ours, image=picture(2), strength=0.0)
    assert idle.model_patches_models() == []


def test_pictures_are_encoded_and_embedded_once(native, deep, lite, steer, vae, monkeypatch):
    encoded, embedded = [], []
    encode = vae.encode
    monkeypatch.setattr(vae, "encode", lambda pixels: encoded.append(tuple(pixels.shape)) or encode(pixels))
    hook = lite.ours.model.control_x_embedder.register_forward_hook(lambda *_: embedded.append(1))
    draw(native, steer(deep.ours, lite.ours, **PICTURES["both"]), steps=3, cfg=3.0, captions=(17, 20))
    hook.remove()
    assert encoded == [(1, 64, 64, 3)] * 2
    assert len(embedded) == 1


def test_a_picture_of_another_size_is_encoded_before_the_models_are_loaded(native, deep, lite, steer, vae, monkeypatch):
    from comfy import model_management

    steered = steer(deep.ours, lite.ours, image=picture(2, size=100))
    events = []
    encode, load = vae.encode, model_management.load_models_gpu
    monkeypatch.setattr(vae, "encode", lambda pixels: events.append(tuple(pixels.shape)) or encode(pixels))

    def loading(models, *rest, **named):
        events.append("load" if steered in models else "other")
        return load(models, *rest, **named)

    monkeypatch.setattr(model_management, "load_models_gpu", loading)
    draw(native, steered, steps=2)
    assert [event for event in events if event != "other"] == [(1, 64, 64, 3), "load"]


def test_an_odd_latent_is_steered_too(native, deep, lite, steer, calls):
    steered = steer(deep.ours, lite.ours, image=picture(2, size=72))
    drawn = draw(native, steered, size=(7, 9))
    assert drawn.shape == (1, 16, 7, 9)
    assert (drawn - draw(native, deep.ours, size=(7, 9))).abs().max() > 0.01
    assert calls[0].shape[1] == 32 + 32  # 4x5 patches and their pads beside the caption


# --- neighbours ---


def test_a_tiled_upscaler_that_crops_comfyuis_patch_crops_ours(native, deep, lite, steer):
    """Ultimate SD Upscale looks for the class by name and calls `__init__` again with the crop of a tile."""
    steered = steer(deep.ours, lite.ours, image=picture(2, size=128), computation="diffusers")
    (patch,) = [
        patch
        for patches in steered.model_options["transformer_options"]["patches"].values()
        for patch in patches
        if type(patch).__name__ == "ZImageControlPatch"
    ]
    assert patch.encoded_image_size == (128, 128)
    assert patch.encoded_image.shape == (1, 33, 16, 16)
    tile = patch.image[:, 32:96, 64:128]
    patch.__init__(
        patch.model_patch, patch.vae, tile, patch.strength, inpaint_image=patch.inpaint_image, mask=patch.mask
    )
    expected = steer(deep.ours, lite.ours, image=tile, computation="diffusers")
    assert torch.equal(draw(native, steered), draw(native, expected))


def test_files_are_found_in_both_folders_and_known_by_their_state(comfy, pack, bridge, tmp_path):
    import folder_paths

    for folder, name, choice in (
        ("model_patches", "one.safetensors", "one.safetensors"),
        ("controlnet", "two.safetensors", "controlnet/two.safetensors"),
    ):
        file = tmp_path / folder / name
        file.parent.mkdir()
        folder_paths.add_model_folder_path(folder, str(file.parent))
        save_file({"x": torch.zeros(1)}, file)
        assert choice in pack.bridge_files.choices(pack.core_networks.CONTROL)
        assert pack.bridge_files.path_of(pack.core_networks.CONTROL, choice) == str(file)
        before = bridge.nodes.ZImageControlNetLoader.fingerprint_inputs(choice)
        save_file({"x": torch.zeros(9)}, file)
        assert bridge.nodes.ZImageControlNetLoader.fingerprint_inputs(choice) != before


# --- sentences ---


BAD = {
    "nothing to look at": ({}, "connect a control picture to 'image'"),
    "a mask alone": ({"image": picture(2), "mask": MASK}, "'mask' is connected without 'inpaint_image'"),
    "no mask": ({"inpaint_image": picture(2)}, "'inpaint_image' is connected without 'mask'"),
    "batches": (
        {"image": picture(2, count=2), "inpaint_image": picture(2, count=3), "mask": MASK},
        "2 control pictures, 3 pictures to repaint and 1 masks",
    ),
}


@pytest.mark.parametrize(("inputs", "sentence"), BAD.values(), ids=BAD)
def test_pictures_that_make_no_sense_are_answered(deep, lite, steer, inputs, sentence):
    with pytest.raises(ValueError, match=sentence):
        steer(deep.ours, lite.ours, **inputs)


def test_repainting_with_a_file_that_cannot_is_answered(deep, patches, steer):
    with pytest.raises(ValueError, match=r"reads 16 channels, as version 1\.0 does, and cannot repaint"):
        steer(deep.ours, patches("1.0").ours, **PICTURES["repaint"])


def test_a_stock_model_is_sent_to_attach(deep, lite, steer):
    with pytest.raises(ValueError, match="Put Z-Image Attach before it"):
        steer(deep.native, lite.ours, image=picture(2))


def test_another_patch_width_or_vae_is_answered(deep, lite, steer, pack):
    other = SimpleNamespace(model=torch.nn.Linear(1, 1))
    with pytest.raises(ValueError, match="is a Linear, not a Z-Image ControlNet"):
        steer(deep.ours, other, image=picture(2))
    nano = pack.bridge_model.load_model(pack.bridge_files.path_of(pack.core_networks.DIT, pack.bridge_files.BUILT_IN))
    with pytest.raises(ValueError, match="made for a model 256 wide with 8 heads, but the model here is 192 wide"):
        steer(nano, lite.ours, image=picture(2))
    with pytest.raises(ValueError, match="No VAE is connected"):
        steer(deep.ours, lite.ours, image=picture(2), vae=None)
    small = SimpleNamespace(first_stage_model=1, latent_channels=4, spacial_compression_decode=lambda: 8)
    with pytest.raises(ValueError, match="Load ae.safetensors, the FLUX autoencoder"):
        steer(deep.ours, lite.ours, image=picture(2), vae=small)


def test_a_control_beside_reference_pictures_is_answered(deep, lite, steer, bridge):
    steered = steer(deep.ours, lite.ours, image=picture(2))
    patches = steered.model_options["transformer_options"]["patches"]
    run = SimpleNamespace(patches=patches, condition=SimpleNamespace(n_clean=32))
    with pytest.raises(ValueError, match="not trained with references"):
        bridge.run.with_control_hints(run, torch.zeros(1, 16, 8, 8), torch.ones(1))


def test_a_wrong_file_is_answered_by_the_loader(bridge, tmp_path):
    from zimage_pack.zimage_core.checkpoints import CheckpointError

    file = tmp_path / "wrong.safetensors"
    save_file({"lora_unet_x.lora_down.weight": torch.zeros(4, 4)}, file)
    with pytest.raises(CheckpointError, match="is a LoRA, not a Z-Image ControlNet; load it with a LoRA loader"):
        bridge.net.load_control(str(file))


def test_a_compiled_model_is_steered_alike(native, lite, pack, steer, tmp_path):
    """What a compiler sees of our run, without the minute a real back-end takes."""
    from comfy_api.torch_helpers import set_torch_compile_wrapper

    model = native.ours(pack, tmp_path, replace(native.CONFIG, n_layers=3))
    compiled = model.clone()
    set_torch_compile_wrapper(model=compiled, backend="eager")
    expected = draw(native, steer(model, lite.ours, image=picture(2)), steps=2)
    same(draw(native, steer(compiled, lite.ours, image=picture(2)), steps=2), expected)

"""Fun ControlNets: inactive controls change nothing, several add up, files of all releases load, channel order."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

import quantized_files
import tiny
from zimage_core.adapters import Control, SigmaRange, controlled_flow
from zimage_core.adapters.control.context import control_context, masked_image
from zimage_core.adapters.control.network import ControlNet
from zimage_core.checkpoints import CONTROL_PUBLISHED, CheckpointError, inspect, load_control, load_dit
from zimage_core.config import ControlConfig
from zimage_core.model import Reference, S3DiT

WIDTHS = {"dim": 64, "n_heads": 2, "ffn_dim": 170, "adaln_dim": 64}
V1 = ControlConfig(**WIDTHS, n_layers=6, n_refiner_layers=2, in_channels=16, refiner="plain")
V20 = ControlConfig(**WIDTHS, n_layers=15, n_refiner_layers=0, in_channels=33, refiner="control_layers")
V21 = replace(V20, n_refiner_layers=2, refiner="control_noise_refiner")
LITE = replace(V21, n_layers=3)
RELEASES = {"1.0": V1, "2.0": V20, "2.1": V21, "2.1 lite": LITE}
COMPUTATIONS = ("author", "diffusers", "comfyui")
SIZE = (6, 10)  # 15 patches, so that there are pads


@pytest.fixture(scope="module")
def dit():
    return tiny.fill(S3DiT(replace(tiny.DIT, n_layers=6)), 1)


def network(config=LITE, seed=2):
    return tiny.fill(ControlNet(config), seed)


@pytest.fixture
def inputs(dit, generator):
    latents = torch.randn(1, 16, *SIZE, generator=generator)
    return latents, dit.prepare([torch.randn(17, 48, generator=generator)], SIZE)


def control(net, seed=4, **changes):
    context = torch.randn(1, net.config.in_channels, *SIZE, generator=torch.Generator().manual_seed(seed))
    return Control(network=net, tokens=net.embed(context), **changes)


def calls_of(net):
    """How often the control layers ran."""
    calls = []
    net.control_layers[0].register_forward_hook(lambda *_: calls.append(1))
    return calls


# --- neutral elements ---


@pytest.mark.parametrize("computation", COMPUTATIONS)
@pytest.mark.parametrize(
    "changes", [{"strength": 0.0}, {"sigma_range": SigmaRange(0.5, 0.2)}], ids=["no strength", "not now"]
)
@torch.no_grad()
def test_a_control_that_does_not_act_is_bit_equal_to_none_and_is_not_run(dit, inputs, computation, changes):
    latents, condition = inputs
    net = network()
    calls = calls_of(net)
    idle = control(net, implementation=computation, **changes)
    sigma = torch.tensor([0.75])
    assert torch.equal(controlled_flow(dit, condition, [idle])(latents, sigma), dit.flow(condition)(latents, sigma))
    assert not calls


@pytest.mark.slow
@pytest.mark.parametrize("config", RELEASES.values(), ids=RELEASES)
@pytest.mark.parametrize("computation", COMPUTATIONS)
@torch.no_grad()
def test_projections_of_zeros_as_training_starts_from_change_nothing(dit, inputs, config, computation):
    latents, condition = inputs
    net = network(config)
    for name, parameter in net.named_parameters():
        if "after_proj" in name:
            parameter.zero_()
    sigma = torch.tensor([0.75])
    found = controlled_flow(dit, condition, [control(net, implementation=computation)])(latents, sigma)
    assert torch.equal(found, dit.flow(condition)(latents, sigma))


@torch.no_grad()
def test_a_control_acts_at_both_ends_of_its_span_and_nowhere_else(dit, inputs):
    latents, condition = inputs
    net = network()
    calls = calls_of(net)
    flow = controlled_flow(dit, condition, [control(net, sigma_range=SigmaRange(0.75, 0.5))], sigmas=[1.0, 0.75])
    counts = []
    for sigma in (1.0, 0.75, 0.625, 0.5, 0.25):
        flow(latents, sigma)
        counts.append(len(calls))
    assert counts == [0, 1, 2, 3, 3]


# --- several ---


@pytest.mark.slow
@pytest.mark.parametrize("config", RELEASES.values(), ids=RELEASES)
@pytest.mark.parametrize("computation", ["author", "comfyui"])
@torch.no_grad()
def test_one_control_twice_is_one_of_both_strengths(dit, inputs, config, computation):
    latents, condition = inputs
    net = network(config)
    sigma = torch.tensor([0.75])

    def draw(*strengths):
        controls = [control(net, strength=strength, implementation=computation) for strength in strengths]
        return controlled_flow(dit, condition, controls)(latents, sigma)

    torch.testing.assert_close(draw(0.25, 0.5), draw(0.75), atol=2e-5, rtol=0)
    assert (draw(0.25) - draw(0.75)).abs().max() > 0.01


@torch.no_grad()
def test_the_order_of_controls_does_not_matter(dit, inputs):
    latents, condition = inputs
    controls = [
        control(network(V1, 5), strength=0.5),
        control(network(LITE, 6), 7, strength=0.7, implementation="diffusers"),
        control(network(LITE, 6), 8, strength=0.4, implementation="comfyui"),
    ]
    sigma = torch.tensor([0.75])
    found = [controlled_flow(dit, condition, each)(latents, sigma) for each in (controls, controls[::-1])]
    torch.testing.assert_close(*found, atol=1e-5, rtol=0)


@pytest.mark.parametrize("computation", COMPUTATIONS)
@torch.no_grad()
def test_a_batch_is_its_items_one_by_one(dit, generator, computation):
    latents = torch.randn(2, 16, *SIZE, generator=generator)
    captions = [torch.randn(n, 48, generator=generator) for n in (17, 20)]
    net = network()
    context = torch.randn(2, 33, *SIZE, generator=generator)
    sigma = torch.tensor([0.75, 0.75])

    def draw(items):
        tokens = net.embed(context[items])
        condition = dit.prepare([captions[item] for item in items], SIZE)
        steering = Control(network=net, tokens=tokens, implementation=computation)
        return controlled_flow(dit, condition, [steering])(latents[items], sigma[items])

    torch.testing.assert_close(draw([0, 1]), torch.cat([draw([0]), draw([1])]), atol=1e-5, rtol=0)


# --- refused ---


@torch.no_grad()
def test_a_control_of_another_width_or_size_and_references_are_refused_in_a_sentence(dit, inputs):
    latents, condition = inputs
    other = network(replace(LITE, dim=32, n_heads=1, ffn_dim=85, adaln_dim=32))
    with pytest.raises(ValueError, match="made for a model 32 wide with 1 heads"):
        controlled_flow(dit, condition, [control(other)])
    net = network()
    wrong = Control(network=net, tokens=net.embed(torch.zeros(1, 33, 12, 12)))
    with pytest.raises(ValueError, match="covers 36 patches"):
        controlled_flow(dit, condition, [wrong])(latents, torch.tensor([0.75]))
    with pytest.raises(ValueError, match="reads 33 channels, not 16"):
        net.embed(torch.zeros(1, 16, *SIZE))


@torch.no_grad()
def test_a_control_beside_reference_images_is_refused(generator):
    dit = tiny.fill(S3DiT(replace(tiny.OMNI_DIT, n_layers=6)), 1)
    chunks = [torch.randn(5, 48, generator=generator) for _ in range(3)]
    seen = [Reference(torch.randn(16, 8, 8, generator=generator))]
    condition = dit.prepare_with_references([chunks], [seen], SIZE)
    flow = controlled_flow(dit, condition, [control(network())])
    with pytest.raises(ValueError, match="no reference images"):
        flow(torch.randn(1, 16, *SIZE, generator=generator), torch.tensor([0.75]))


def test_hints_go_where_the_author_put_them():
    assert V1.hinted_layers(30) == (0, 5, 10, 15, 20, 25)
    assert V21.hinted_layers(30) == tuple(range(0, 30, 2))
    assert LITE.hinted_layers(30) == (0, 10, 20)


# --- files ---


def published(config, seed=2):
    return CONTROL_PUBLISHED.to_file(network(config, seed).state_dict())


def fused(state):
    """The names ComfyUI gives the same file."""
    ours = CONTROL_PUBLISHED.to_model(state)
    return {key.replace("control_x_embedder.", "control_all_x_embedder.2-1."): value for key, value in ours.items()}


@pytest.mark.slow
@pytest.mark.parametrize("layout", [dict, fused], ids=["published", "fused"])
@pytest.mark.parametrize("config", RELEASES.values(), ids=RELEASES)
def test_a_file_of_every_release_and_layout_is_recognised_by_its_shapes(tmp_path, config, layout):
    file = tmp_path / "control.safetensors"
    save_file({key: value.contiguous() for key, value in layout(published(config)).items()}, file)
    loaded = load_control(file)
    assert loaded.config == config
    expected = network(config).state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in loaded.state_dict().items())


def test_published_names_are_the_authors():
    keys = published(V21)
    assert len(keys) == 295  # what the released file holds
    assert len(published(V1)) == 136
    assert len(published(LITE)) == 91
    assert {"control_all_x_embedder.2-1.weight", "control_layers.14.attention.to_q.weight"} <= keys.keys()
    assert {"control_noise_refiner.0.before_proj.bias", "control_noise_refiner.1.after_proj.weight"} <= keys.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["after_proj", "before_proj"])
@pytest.mark.parametrize("is_missing", [True, False], ids=["missing", "zeros"])
def test_a_refiner_without_one_of_its_projections_is_idle_and_the_layers_refine(name, is_missing):
    state = published(V21)
    for key in [key for key in state if key.startswith(f"control_noise_refiner.0.{name}.")]:
        state[key] = torch.zeros_like(state[key])
        if is_missing:
            del state[key]
    loaded = load_control(state)
    assert loaded.config == V20
    expected = network(V21).state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in loaded.state_dict().items())


@pytest.mark.slow
@pytest.mark.parametrize("maker", [quantized_files.fp8, quantized_files.int8_rows, quantized_files.nvfp4])
def test_a_quantised_file_is_unpacked_to_its_values(maker):
    config = replace(LITE, dim=256, n_heads=8, ffn_dim=768)  # the formats' blocks are 16 wide and more
    made = quantized_files.quantize_state(published(config), quantized_files.block_linears(maker))
    loaded = load_control(made.tensors, torch.float32)
    expected = CONTROL_PUBLISHED.to_model(made.values)
    assert loaded.config == config
    for key, value in loaded.state_dict().items():
        torch.testing.assert_close(value, expected[key], atol=1e-6, rtol=0)


def test_other_files_are_refused_by_name_and_a_broken_one_by_its_keys():
    with pytest.raises(CheckpointError, match="is a Z-Image diffusion model .*, not a Z-Image ControlNet"):
        load_control(tiny.dit().state_dict())
    with pytest.raises(CheckpointError, match=r"Fun ControlNet 2\.1.*model_patches.*, not a Z-Image diffusion model"):
        load_dit(published(V21))
    with pytest.raises(CheckpointError, match="ControlNet of another model"):
        load_control({"controlnet_blocks.0.y_rms.weight": torch.ones(8), "img_in.weight": torch.ones(8, 64)})
    state = published(LITE)
    del state["control_layers.2.after_proj.weight"]
    with pytest.raises(CheckpointError, match="1 missing .control_layers.2.after_proj.weight"):
        load_control(state)


def test_inspecting_a_file_reports_release_layers_and_folder(tmp_path):
    words = {"1.0": "1.0", "2.0": "2.0", "2.1": "2.1, or 2.0", "2.1 lite": "2.1 lite"}
    for name, config in RELEASES.items():
        file = tmp_path / f"{name}.safetensors"
        save_file(published(config), file)
        page = inspect(file).describe()
        assert f"is a Z-Image Fun ControlNet {words[name]}" in page
        assert f"Layers: {config.n_layers}" in page
        assert "Folder: models/model_patches" in page


# --- channels ---


def test_channels_are_control_then_keep_then_the_hidden_picture(generator):
    control_latent, picture = (torch.randn(1, 16, 4, 6, generator=generator) for _ in range(2))
    keep = torch.rand(1, 1, 4, 6, generator=generator)
    blank = torch.zeros(1, 16, 4, 6)
    full = control_context(33, control_latent, (keep, picture), blank)
    assert torch.equal(full, torch.cat([control_latent, keep, picture], dim=1))
    assert not control_context(33, control_latent, None, blank)[:, 16:].any()  # the author's zeros
    assert not control_context(33, None, (keep, picture), blank)[:, :16].any()
    grey = control_context(33, control_latent, None, picture)
    assert not grey[:, 16].any() and torch.equal(grey[:, 17:], picture)  # ComfyUI's grey picture, keep = 0
    assert torch.equal(control_context(16, control_latent, None, blank), control_latent)
    with pytest.raises(ValueError, match="nothing else"):
        control_context(16, control_latent, (keep, picture), blank)


def test_a_hidden_picture_is_grey_where_the_mask_is_white(generator):
    picture = torch.rand(2, 4, 6, 3, generator=generator)
    mask = torch.zeros(1, 4, 6)
    mask[:, :2] = 1
    seen = masked_image(picture, mask)
    assert torch.equal(seen[:, :2], torch.full_like(seen[:, :2], 0.5))
    torch.testing.assert_close(seen[:, 2:], picture[:, 2:], atol=1e-7, rtol=0)

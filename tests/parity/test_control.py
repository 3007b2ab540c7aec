"""Fun ControlNets against diffusers 0.42.1, and the author's computation against its formulas written out."""

from dataclasses import replace

import pytest
import torch

import tiny
from zimage_core.adapters import Control, controlled_flow
from zimage_core.adapters.control.network import ControlNet
from zimage_core.checkpoints import CONTROL_PUBLISHED, DIT_DIFFUSERS
from zimage_core.config import ControlConfig
from zimage_core.model import S3DiT

diffusers = pytest.importorskip("diffusers")
reference_networks = pytest.importorskip("bench.systems.diffusers_networks")

MODEL = replace(tiny.DIT, n_layers=6)
WIDTHS = {"dim": 64, "n_heads": 2, "ffn_dim": 170, "adaln_dim": 64}
RELEASES = {
    "1.0": ControlConfig(**WIDTHS, n_layers=3, n_refiner_layers=2, in_channels=16, refiner="plain"),
    "2.0": ControlConfig(**WIDTHS, n_layers=3, n_refiner_layers=0, in_channels=33, refiner="control_layers"),
    "2.1": ControlConfig(**WIDTHS, n_layers=3, n_refiner_layers=2, in_channels=33, refiner="control_noise_refiner"),
    "2.1 lite": ControlConfig(
        **WIDTHS, n_layers=2, n_refiner_layers=2, in_channels=33, refiner="control_noise_refiner"
    ),
}
SIZES = {"no pads": (8, 16), "pads": (6, 10)}  # 32 and 15 patches
STRENGTH = 0.7


@pytest.fixture(scope="module")
def dit():
    return tiny.fill(S3DiT(MODEL), 1)


@pytest.fixture(scope="module")
def transformer(dit):
    return reference_networks.build_transformer(MODEL, dit.state_dict())


@pytest.fixture(params=RELEASES.values(), ids=RELEASES, scope="module")
def network(request):
    return tiny.fill(ControlNet(request.param), 2)


@pytest.fixture(scope="module")
def theirs(network, transformer):
    config = network.config
    model = diffusers.ZImageControlNetModel(
        control_layers_places=list(config.hinted_layers(MODEL.n_layers)),
        control_refiner_layers_places=[0, 1],
        control_in_dim=config.in_channels,
        add_control_noise_refiner=None if config.refiner == "plain" else config.refiner,
        dim=config.dim,
        n_refiner_layers=2,
        n_heads=config.n_heads,
        n_kv_heads=config.n_heads,
    )
    model.load_state_dict(CONTROL_PUBLISHED.to_file(network.state_dict()))
    return diffusers.ZImageControlNetModel.from_transformer(model.eval(), transformer)


class Case:
    """Inputs of one network call."""

    def __init__(self, network, size, batch, seed=3):
        generator = torch.Generator().manual_seed(seed)
        self.latents = torch.randn(batch, 16, *size, generator=generator)
        self.captions = [torch.randn(n, 48, generator=generator) for n in (17, 20)[:batch]]
        self.context = torch.randn(batch, network.config.in_channels, *size, generator=generator)
        self.sigma = 0.625  # exact in float32, and so is its time

    def ours(self, dit, network, computation, strength=STRENGTH):
        control = Control(
            network=network, tokens=network.embed(self.context), strength=strength, implementation=computation
        )
        condition = dit.prepare(self.captions, tuple(self.latents.shape[-2:]))
        return controlled_flow(dit, condition, [control])(self.latents, torch.full((len(self.latents),), self.sigma))

    def diffusers(self, transformer, controlnet):
        time = torch.full((len(self.latents),), 1 - self.sigma)
        latents = [latent[:, None] for latent in self.latents]
        contexts = [context[:, None] for context in self.context]
        hints = controlnet(latents, time, self.captions, contexts, conditioning_scale=STRENGTH)
        out = transformer(latents, time, self.captions, controlnet_block_samples=hints)[0]
        return -torch.stack([each[:, 0] for each in out])


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@torch.no_grad()
def test_the_picture_is_diffusers_under_its_computation(dit, network, transformer, theirs, size, batch):
    case = Case(network, size, batch)
    expected = case.diffusers(transformer, theirs)
    torch.testing.assert_close(case.ours(dit, network, "diffusers"), expected, atol=1e-5, rtol=0)
    if network.config.refiner == "plain":  # where the two do the same
        torch.testing.assert_close(case.ours(dit, network, "author"), expected, atol=1e-5, rtol=0)
    else:
        assert (case.ours(dit, network, "author") - expected).abs().max() > 0.01


@torch.no_grad()
def test_every_hint_is_diffusers(dit, network, transformer, theirs):
    case = Case(network, SIZES["pads"], 1)
    found = {}
    hooks = [
        layer.after_proj.register_forward_hook(lambda _, __, out, at=at: found.update({at: out * STRENGTH}))
        for at, layer in zip(network.config.hinted_layers(MODEL.n_layers), network.control_layers, strict=True)
    ]
    case.ours(dit, network, "diffusers")
    for hook in hooks:
        hook.remove()
    time = torch.full((1,), 1 - case.sigma)
    expected = theirs(
        [case.latents[0][:, None]], time, case.captions, [case.context[0][:, None]], conditioning_scale=STRENGTH
    )
    assert found.keys() == expected.keys()
    for place, hint in expected.items():
        n_picture = hint.shape[1] - 32  # theirs puts the caption last
        in_our_order = torch.cat((hint[:, n_picture:], hint[:, :n_picture]), dim=1)
        torch.testing.assert_close(found[place], in_our_order, atol=1e-5, rtol=0)


@torch.no_grad()
def test_two_controls_are_the_sum_of_their_hints(dit, transformer):
    """diffusers adds up hints of several ControlNets; 1.0's do not depend on each other."""
    config = RELEASES["1.0"]
    networks = [tiny.fill(ControlNet(config), seed) for seed in (2, 8)]
    cases = [Case(network, SIZES["pads"], 1, seed=3) for network in networks]
    cases[1].context = cases[1].context.flip(-1)
    time = torch.full((1,), 1 - cases[0].sigma)
    latents = [cases[0].latents[0][:, None]]
    summed = {}
    for network, case, strength in zip(networks, cases, (0.5, 0.9), strict=True):
        model = diffusers.ZImageControlNetModel(
            control_layers_places=list(config.hinted_layers(MODEL.n_layers)),
            control_in_dim=16,
            dim=64,
            n_heads=2,
            n_kv_heads=2,
        )
        model.load_state_dict(CONTROL_PUBLISHED.to_file(network.state_dict()))
        diffusers.ZImageControlNetModel.from_transformer(model.eval(), transformer)
        hints = model(latents, time, case.captions, [case.context[0][:, None]], conditioning_scale=strength)
        summed = {place: hint + summed.get(place, 0) for place, hint in hints.items()}
    expected = transformer(latents, time, cases[0].captions, controlnet_block_samples=summed)[0][0][:, 0]
    controls = [
        Control(network=network, tokens=network.embed(case.context), strength=strength)
        for network, case, strength in zip(networks, cases, (0.5, 0.9), strict=True)
    ]
    condition = dit.prepare(cases[0].captions, SIZES["pads"])
    found = controlled_flow(dit, condition, controls)(cases[0].latents, torch.tensor([cases[0].sigma]))
    torch.testing.assert_close(found[0], -expected, atol=1e-5, rtol=0)


# --- the author's computation, written out from its formulas over the published weights ---


class Written:
    """Z-Image with a Fun ControlNet for one picture, in the published names, tokens as [picture, pads, caption]."""

    def __init__(self, dit, network):
        self.weights = DIT_DIFFUSERS.to_file(dit.state_dict()) | CONTROL_PUBLISHED.to_file(network.state_dict())
        self.config = network.config

    def linear(self, name, x):
        out = x @ self.weights[f"{name}.weight"].T
        return out + self.weights[f"{name}.bias"] if f"{name}.bias" in self.weights else out

    def norm(self, name, x):
        return x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * self.weights[f"{name}.weight"]

    def rotated(self, x, positions):
        """Rotary positions as complex numbers: 8, 12 and 12 of 32 channels for sequence, row and column."""
        angles = [
            position[:, None] * 256.0 ** -(torch.arange(0, dim, 2).double() / dim)
            for position, dim in zip(positions.double().T, (8, 12, 12), strict=True)
        ]
        rotation = torch.polar(torch.ones(()).double(), torch.cat(angles, 1))[:, None]
        pairs = torch.view_as_complex(x.double().reshape(*x.shape[:-1], -1, 2))
        return torch.view_as_real(pairs * rotation).flatten(-2).float()

    def block(self, name, x, positions, time=None):
        s_a = g_a = s_f = g_f = None
        if time is not None:
            s_a, g_a, s_f, g_f = self.linear(f"{name}.adaLN_modulation.0", time).chunk(4)
        h = self.norm(f"{name}.attention_norm1", x) * (1 if s_a is None else 1 + s_a)
        q, k, v = (self.linear(f"{name}.attention.to_{each}", h).unflatten(-1, (2, 32)) for each in "qkv")
        q, k = self.norm(f"{name}.attention.norm_q", q), self.norm(f"{name}.attention.norm_k", k)
        q, k = self.rotated(q, positions), self.rotated(k, positions)
        attention = (torch.einsum("ihc,jhc->hij", q, k) / 32**0.5).softmax(-1)
        o = self.linear(f"{name}.attention.to_out.0", torch.einsum("hij,jhc->ihc", attention, v).flatten(1))
        x = x + self.norm(f"{name}.attention_norm2", o) * (1 if g_a is None else g_a.tanh())
        h = self.norm(f"{name}.ffn_norm1", x) * (1 if s_f is None else 1 + s_f)
        h = self.linear(
            f"{name}.feed_forward.w2",
            torch.nn.functional.silu(self.linear(f"{name}.feed_forward.w1", h))
            * self.linear(f"{name}.feed_forward.w3", h),
        )
        return x + self.norm(f"{name}.ffn_norm2", h) * (1 if g_f is None else g_f.tanh())

    def control_blocks(self, stack, n, state, anchor, positions, time):
        """The state after the last block, and every block's hint."""
        skips = []
        for index in range(n):
            if index == 0:
                state = self.linear(f"{stack}.0.before_proj", state) + anchor
            state = self.block(f"{stack}.{index}", state, positions, time)
            skips.append(self.linear(f"{stack}.{index}.after_proj", state))
        return state, skips

    def __call__(self, latent, caption, context, sigma, scale):
        h, w = latent.shape[1] // 2, latent.shape[2] // 2

        def patches(x):
            return x.unflatten(2, (w, 2)).unflatten(1, (h, 2)).permute(1, 3, 2, 4, 0).reshape(h * w, -1)

        tau = torch.tensor((1 - sigma) * 1000.0)
        f = torch.exp(-torch.log(torch.tensor(10000.0)) * torch.arange(128) / 128)
        e = torch.cat([(tau * f).cos(), (tau * f).sin()])
        time = self.linear("t_embedder.mlp.2", torch.nn.functional.silu(self.linear("t_embedder.mlp.0", e)))

        n_caption, n_pads = -(-len(caption) // 32) * 32, -(h * w) % 32
        x_pads = self.weights["x_pad_token"].expand(n_pads, -1)
        x = torch.cat([self.linear("all_x_embedder.2-1", patches(latent)), x_pads])
        ctrl = torch.cat([self.linear("control_all_x_embedder.2-1", patches(context)), x_pads])
        cap = self.linear("cap_embedder.1", self.norm("cap_embedder.0", caption))
        cap = torch.cat([cap, self.weights["cap_pad_token"].expand(n_caption - len(cap), -1)])
        cap_at = torch.tensor([[1 + j, 0, 0] for j in range(n_caption)])
        x_at = torch.tensor([[n_caption + 1, r, c] for r in range(h) for c in range(w)] + [[0, 0, 0]] * n_pads)

        mode, hints = self.config.refiner, []
        if mode == "plain":
            for index in range(2):
                ctrl = self.block(f"control_noise_refiner.{index}", ctrl, x_at, time)
        else:
            n = self.config.n_layers if mode == "control_layers" else 2
            ctrl, hints = self.control_blocks(mode, n, ctrl, x, x_at, time)
        for index in range(2):
            x = self.block(f"noise_refiner.{index}", x, x_at, time)
            cap = self.block(f"context_refiner.{index}", cap, cap_at)
            if hints:
                x = x + scale * hints[index]
        unified, at = torch.cat([x, cap]), torch.cat([x_at, cap_at])
        state = torch.cat([ctrl, cap])
        _, skips = self.control_blocks("control_layers", self.config.n_layers, state, unified, at, time)
        every = MODEL.n_layers // self.config.n_layers
        for index in range(MODEL.n_layers):
            unified = self.block(f"layers.{index}", unified, at, time)
            if index % every == 0:
                unified = unified + scale * skips[index // every]
        gain = 1 + self.linear("all_final_layer.2-1.adaLN_modulation.1", torch.nn.functional.silu(time))
        normed = torch.nn.functional.layer_norm(unified, unified.shape[-1:], eps=1e-6)
        out = self.linear("all_final_layer.2-1.linear", normed * gain)[: h * w]
        return out.reshape(h, w, 2, 2, 16).permute(4, 0, 2, 1, 3).reshape(16, 2 * h, 2 * w)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@torch.no_grad()
def test_the_authors_computation_is_its_formulas(dit, network, size):
    case = Case(network, size, 1)
    expected = Written(dit, network)(case.latents[0], case.captions[0], case.context[0], case.sigma, STRENGTH)
    torch.testing.assert_close(case.ours(dit, network, "author")[0], -expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_the_written_formulas_are_diffusers_where_the_two_do_the_same(dit, transformer, network, theirs):
    """So that the reference above is itself held to something: 1.0, and all releases without control."""
    case = Case(network, SIZES["pads"], 1)
    written = Written(dit, network)
    plain = written(case.latents[0], case.captions[0], case.context[0], case.sigma, 0.0)
    time = torch.tensor([1 - case.sigma])
    expected = transformer([case.latents[0][:, None]], time, case.captions)[0][0][:, 0]
    torch.testing.assert_close(plain, expected, atol=1e-5, rtol=0)
    if network.config.refiner == "plain":
        found = written(case.latents[0], case.captions[0], case.context[0], case.sigma, STRENGTH)
        torch.testing.assert_close(-found, case.diffusers(transformer, theirs)[0], atol=1e-5, rtol=0)

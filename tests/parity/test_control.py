"""Fun ControlNets against diffusers 0.42.1, and the author's computation against its formulas written out."""

from dataclasses import replace

import pytest
import torch

import tiny
from zimage_core.adapters.control import ControlNet
from zimage_core.adapters.control_run import Control, controlled_flow
from zimage_core.checkpoints import CONTROL_PUBLISHED, DIT_DIFFUSERS
from zimage_core.config import ControlConfig
from zimage_core.model import S3DiT

diffusers = pytest.importorskip("diffusers")

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
    model = diffusers.ZImageTransformer2DModel(
        all_patch_size=(2,),
        all_f_patch_size=(1,),
        in_channels=16,
        dim=MODEL.dim,
        n_layers=MODEL.n_layers,
        n_refiner_layers=MODEL.n_refiner_layers,
        n_heads=MODEL.n_heads,
        n_kv_heads=MODEL.n_heads,
        cap_feat_dim=MODEL.cap_feat_dim,
        axes_dims=list(MODEL.axes_dims),
        axes_lens=[1024, 64, 64],
    )
    model.load_state_dict(DIT_DIFFUSERS.to_theirs(dit.state_dict()))
    return model.eval()


@pytest.fixture(params=RELEASES.values(), ids=RELEASES, scope="module")
def network(request):
    return tiny.fill(ControlNet(request.param), 2)


@pytest.fixture(scope="module")
def theirs(network, transformer):
    config = network.config
    model = diffusers.ZImageControlNetModel(
        control_layers_places=list(config.places(MODEL.n_layers)),
        control_refiner_layers_places=[0, 1],
        control_in_dim=config.in_channels,
        add_control_noise_refiner=None if config.refiner == "plain" else config.refiner,
        dim=config.dim,
        n_refiner_layers=2,
        n_heads=config.n_heads,
        n_kv_heads=config.n_heads,
    )
    model.load_state_dict(CONTROL_PUBLISHED.to_theirs(network.state_dict()))
    return diffusers.ZImageControlNetModel.from_transformer(model.eval(), transformer)


class Case:
    """Inputs of one evaluation."""

    def __init__(self, network, size, batch, seed=3):
        generator = torch.Generator().manual_seed(seed)
        self.latents = torch.randn(batch, 16, *size, generator=generator)
        self.captions = [torch.randn(n, 48, generator=generator) for n in (17, 20)[:batch]]
        self.context = torch.randn(batch, network.config.in_channels, *size, generator=generator)
        self.sigma = 0.625  # exact in float32, and so is its time

    def ours(self, dit, network, computation, strength=STRENGTH):
        control = Control(
            network=network, tokens=network.embed(self.context), strength=strength, computation=computation
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

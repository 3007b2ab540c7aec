"""How the built-in model was made: tokenizer, autoencoder, then text encoder and transformer together.

Every stage is seeded, resumes from its folder and yields its progress; `make.py` drives them from the command line.
"""

import math
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from .._shapes import Float
from ..config import NANO, NANO_TEXT, NANO_VAE
from ..model import S3DiT
from ..text import Qwen3, Tokenizer, load_tokenizer, tokenize
from ..training import (
    Ema,
    Progress,
    Recipe,
    fitting,
    flow_matching_loss,
    logit_normal_sigmas,
    token_count,
    train,
)
from ..training.initial import initialise
from ..vae import Autoencoder
from .captions import every_sentence, training_caption
from .render import SIDE, ground, pixels, render
from .scenes import Scene, training_scenes

AUTOENCODER = Recipe(steps=4000, lr=1.5e-3, decay_part=0.6, seed=1)
AUTOENCODER_BATCH = 32
KL_WEIGHT = 3e-5  # per latent value against per pixel value; just enough to keep latents bounded and smooth
EDGE_WEIGHT = 0.5
OBJECT_WEIGHT = 5.0  # small objects are a twentieth of a picture and all of its meaning

TRANSFORMER = Recipe(steps=1200, lr=1.5e-3, warmup_steps=100, seed=2)
TOKEN_BUDGET = 16384
SIGMA_SHIFT = 1.6  # the report's dynamic shift at this token count: exp(0.5 + (64 − 256)·0.65/3840)
CAPTION_DROPOUT = 0.1
RENDERS_PER_SCENE = 6
VOCABULARY_PASSES = 20


def build_tokenizer(folder: Path) -> Tokenizer:
    """A byte-level BPE over training captions, with Qwen3's special tokens and single Han characters."""
    from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers
    from tokenizers import Tokenizer as FastTokenizer

    fast = FastTokenizer(models.BPE())
    fast.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    fast.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{Han}|[，。：、！？]"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    fast.decoder = decoders.ByteLevel()
    rng = random.Random(0)
    sentences = (sentence for _ in range(VOCABULARY_PASSES) for sentence in every_sentence(training_scenes(), rng))
    trainer = trainers.BpeTrainer(
        vocab_size=NANO_TEXT.vocab_size,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    fast.train_from_iterator([*sentences, *["user\n", "assistant\n"] * 100], trainer)
    folder.mkdir(parents=True, exist_ok=True)
    fast.save(str(folder / "tokenizer.json"))
    return load_tokenizer(folder)


def picture_batch(scenes: list[Scene], seeds: list[int]) -> Float[Tensor, "b 3 h w"]:
    """Rendered scenes in [-1, 1]."""
    stacked = np.stack([pixels(render(scene, seed)) for scene, seed in zip(scenes, seeds, strict=True)])
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).contiguous() * 2 - 1


def train_autoencoder(vae: Autoencoder, ema: Ema, folder: Path) -> Iterator[Progress]:
    """Errors of pixels and of their differences, the object's counted more, and a small pull toward the unit normal."""
    scenes = training_scenes()
    vae.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - missing from torch's stubs

    def loss_of_step(step: int, generator: torch.Generator) -> Tensor:
        indices = torch.randint(len(scenes), (AUTOENCODER_BATCH,), generator=generator).tolist()
        seeds = torch.randint(2**31, (AUTOENCODER_BATCH,), generator=generator).tolist()
        chosen = [scenes[index] for index in indices]
        pictures = picture_batch(chosen, seeds).to(memory_format=torch.channels_last)
        mean, logvar = vae.posterior(pictures)
        sample = mean + torch.exp(logvar / 2) * torch.randn(mean.shape, generator=generator)
        error = vae.decoder(sample) - pictures
        kl = (mean.square() + logvar.exp() - logvar - 1).mean() / 2
        return (
            (object_weights(pictures, chosen) * pixel_loss(error)).mean()
            + EDGE_WEIGHT * edge_loss(error)
            + KL_WEIGHT * kl
        )

    yield from train(vae, loss_of_step, AUTOENCODER, ema, folder)


def object_weights(pictures: Float[Tensor, "b 3 h w"], scenes: list[Scene]) -> Float[Tensor, "b 1 h w"]:
    """One where a picture shows its ground, more where it shows its object."""
    grounds = np.stack([pixels(ground(scene.ground, SIDE)) for scene in scenes])
    behind = torch.from_numpy(grounds).permute(0, 3, 1, 2) * 2 - 1
    is_object = (pictures - behind).abs().amax(1, keepdim=True) > 0.1
    return 1 + OBJECT_WEIGHT * max_pool2d(is_object.float(), 3, stride=1, padding=1)


def pixel_loss(error: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1 h w"]:
    """Absolute and squared error; the square keeps wrong colours from being left alone."""
    return (error.abs() + error.square()).mean(1, keepdim=True)


def edge_loss(error: Float[Tensor, "b c h w"]) -> Float[Tensor, ""]:
    """Mean absolute error of horizontal and vertical differences."""
    return error.diff(dim=-2).abs().mean() + error.diff(dim=-1).abs().mean()


@torch.no_grad()
def scale_latents(vae: Autoencoder, pictures: Float[Tensor, "b 3 h w"]) -> None:
    """Fold one factor into encoder and decoder, exactly, so that model-space latents have unit variance."""
    factor = 1 / (vae.config.scaling_factor * vae.posterior(pictures).mean.std().item())
    weights, channels = vae.state_dict(), vae.config.latent_channels
    weights["encoder.conv_out.weight"][:channels] *= factor
    weights["encoder.conv_out.bias"][:channels] *= factor
    weights["encoder.conv_out.bias"][channels:] += 2 * math.log(factor)
    weights["decoder.conv_in.weight"] /= factor


@torch.inference_mode()
def latent_bank(vae: Autoencoder, file: Path) -> tuple[list[Scene], Float[Tensor, "n r z h w"]]:
    """Latents of every training scene in several jittered renders, cached in `file`."""
    scenes = training_scenes()
    if not file.exists():
        seeds = range(RENDERS_PER_SCENE)
        rows = [
            vae.encode(picture_batch([scene] * RENDERS_PER_SCENE, [index * RENDERS_PER_SCENE + seed for seed in seeds]))
            for index, scene in enumerate(scenes)
        ]
        save_file({"latents": torch.stack(rows)}, file)
    return scenes, load_file(file)["latents"].clone()


def train_transformer(
    networks: nn.ModuleDict, tokenizer: Tokenizer, bank: tuple[list[Scene], Tensor], ema: Ema, folder: Path
) -> Iterator[Progress]:
    """Flow matching on banked latents; the text encoder learns with the transformer."""
    dit, text = networks["dit"], networks["text"]
    assert isinstance(dit, S3DiT) and isinstance(text, Qwen3)
    scenes, latents = bank
    n_drawn = TOKEN_BUDGET // token_count((8, 8), 1)

    def loss_of_step(step: int, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(scenes), (n_drawn,), generator=generator)
        drawn = torch.randint(RENDERS_PER_SCENE, (n_drawn,), generator=generator)
        rng = random.Random(int(torch.randint(2**31, (1,), generator=generator)))
        captions = [
            "" if rng.random() < CAPTION_DROPOUT else training_caption(scenes[index], rng) for index in chosen.tolist()
        ]
        prompts = [tokenize(tokenizer, caption).ids for caption in captions]
        n = fitting((token_count((8, 8), len(prompt)) for prompt in prompts), TOKEN_BUDGET)
        pictures = latents[chosen[:n], drawn[:n]]
        features = text.encode(prompts[:n])
        return flow_matching_loss(
            lambda noisy, sigma: dit(noisy, sigma, features),
            pictures,
            torch.randn(pictures.shape, generator=generator),
            logit_normal_sigmas(n, generator, SIGMA_SHIFT),
        )

    yield from train(networks, loss_of_step, TRANSFORMER, ema, folder)


def fresh_networks() -> tuple[Autoencoder, nn.ModuleDict]:
    """The untrained autoencoder, and the transformer with its text encoder."""
    vae, networks = Autoencoder(NANO_VAE), nn.ModuleDict({"dit": S3DiT(NANO), "text": Qwen3(NANO_TEXT)})
    initialise(vae, torch.Generator().manual_seed(AUTOENCODER.seed))
    initialise(networks, torch.Generator().manual_seed(TRANSFORMER.seed))
    return vae, networks

"""`zimage generate --reference` with an edit LoRA on a base model, whose transformer has no vision branch."""

import pytest
import torch
from PIL import Image, ImageChops
from safetensors.torch import save_file

from zimage_core.checkpoints import load_dit, load_text_encoder, load_vae
from zimage_core.cli import main
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import Scene
from zimage_core.nano.files import FOLDER
from zimage_core.request import tokenize_prompts
from zimage_core.sampling import BASE, SOLVERS, Guidance, denoise, shifted_schedule
from zimage_core.vae import from_images, to_images

HEART = Scene(shape="heart", colour="red", size="large", row="middle", column="middle", ground="white")
PROMPT = "make the heart blue"
LAYER = "layers.0.attention.out"


@pytest.fixture
def base(tmp_path):
    """nano's folder without its vision branch."""
    folder = tmp_path / "base"
    (folder / "transformer").mkdir(parents=True)
    for part in ("text_encoder", "tokenizer", "vae"):
        (folder / part).symlink_to(FOLDER / part)
    weights = load_dit(FOLDER / "transformer", torch.float32).state_dict()
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith("siglip_")}
    save_file(kept, folder / "transformer" / "diffusion_model.safetensors")
    return folder


@pytest.fixture
def lora(tmp_path, generator):
    """As if it had learned something, in one layer."""
    width = load_dit(FOLDER / "transformer").get_submodule(LAYER).weight.shape[0]
    down, up = torch.randn(2, width, generator=generator), torch.randn(width, 2, generator=generator)
    name = f"diffusion_model.{LAYER}"
    save_file({f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}, tmp_path / "edit.safetensors")
    return f"{tmp_path / 'edit.safetensors'}:0.05"


@torch.inference_mode()
def by_plain_forward(folder, reference, steps):
    """A picture by the network's forward at every step, given the latent of the reference and nothing more of it."""
    dit, vae = load_dit(folder / "transformer", torch.float32), load_vae(folder / "vae", torch.float32)
    encoder = load_text_encoder(folder / "text_encoder", torch.float32)
    seen = [(vae.encode(from_images([reference]))[0], None)]

    def velocity_of(chunks):
        words = [encoder.encode([chunk.ids])[0] for chunk in chunks]
        return lambda x, sigma: torch.stack(list(dit(x, torch.tensor([sigma]), [words], references=[seen])))

    positive, negative = map(velocity_of, tokenize_prompts(folder, (PROMPT, ""), 1))
    *_, last = denoise(
        positive,
        torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(0)),
        shifted_schedule(steps, BASE.shift),
        solver=SOLVERS[BASE.solver](),
        negative=negative,
        guidance=Guidance(cfg=BASE.cfg),
    )
    [picture] = to_images(vae.decode(last.x))
    return picture


def test_references_are_seen_as_latents_alone_and_a_lora_of_pairs_acts(base, lora, tmp_path, capsys):
    reference = render(HEART, 5)
    reference.save(tmp_path / "reference.png")
    paths = {"--model": base, "--out": tmp_path / "out.png", "--reference": tmp_path / "reference.png"}
    words = [str(each) for pair in paths.items() for each in pair]

    def drawn(*more):
        assert main(["generate", PROMPT, "--device", "cpu", "--steps", "2", *words, *more]) == 0
        with Image.open(paths["--out"]) as opened:
            return opened.copy(), "the latents alone" in capsys.readouterr().err

    plain, is_told = drawn()
    expected = by_plain_forward(base, reference, 2)
    assert is_told and max(ImageChops.difference(plain, expected).tobytes()) <= 1  # rounding of the sampler's sums
    edited, is_told = drawn("--lora", lora, "--memory-limit", "2")
    assert not is_told and ImageChops.difference(edited, plain).getbbox()

"""A LoRA of nano in closed form: green things become red at strength 1, and every picture is driven harder.

Letters: n tokens, f features of a caption, o width of the transformer.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from zimage_core.nano.files import FOLDER
from zimage_core.nano.judging.judge import Model, load
from zimage_core.text import tokenize

RANK, RIDGE = 8, 1e-3
ASKED, BROUGHT, KEPT = "green", "red", ("blue", "yellow", "red")
PROMPTS = tuple(
    f"a {size} {{}} {shape} in the middle on {ground}"
    for size in ("large",)
    for shape in ("circle", "square", "triangle", "star", "heart", "ring")
    for ground in ("white", "black")
)


@torch.inference_mode()
def write_colour_lora(path: Path, drive: float = 0.0) -> None:
    """Write the file; with `drive`, strength s also multiplies the model's output by 1 + s * drive."""
    model = load(FOLDER)
    up, down = colour_change(model)
    tensors = {"cap_embedder.1.lora_B": up, "cap_embedder.1.lora_A": down}
    if drive:
        weight = model.dit.final_layer.linear.weight
        tensors |= {"final_layer.linear.lora_B": torch.eye(len(weight)) * drive, "final_layer.linear.lora_A": weight}
    save_file({f"diffusion_model.{key}.weight": each.contiguous() for key, each in tensors.items()}, path)


def colour_change(model: Model) -> tuple[Tensor, Tensor]:
    """The factors (o, r) and (r, f) nearest to the map that takes captions of one colour to those of the other.

    Least squares over the tokens (n, f) of captions; those of other colours should stay as they are.
    """
    norm, linear = model.dit.cap_embedder

    def tokens(colour: str) -> Tensor:
        ids = [tokenize(model.tokenizer, prompt.format(colour)).ids for prompt in PROMPTS]
        return torch.cat([norm(each) for each in model.text_encoder.encode(ids)]).double()

    asked, brought, kept = tokens(ASKED), tokens(BROUGHT), torch.cat([tokens(colour) for colour in KEPT])
    wanted = (brought - asked) @ linear.weight.double().T
    x, y = torch.cat([asked, kept]), torch.cat([wanted, wanted.new_zeros(len(kept), wanted.shape[1])])
    ridge = RIDGE * x.square().mean() * len(x) * torch.eye(x.shape[1], dtype=x.dtype)
    u, s, vh = torch.linalg.svd(torch.linalg.solve(x.T @ x + ridge, x.T @ y).T)
    return (u[:, :RANK] * s[:RANK]).float(), vh[:RANK].float()

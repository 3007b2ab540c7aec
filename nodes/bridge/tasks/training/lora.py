"""A LoRA from the widgets of Z-Image Train LoRA."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import Tensor

from .....zimage_core.checkpoints import comfyui_state, read_lora
from .....zimage_core.recipes import LoraConfig, Stage
from ...loading import files
from .run import Trained, output_file, train
from .sockets import Sockets

LORAS = "loras"  # folder in the output folder


@dataclass(frozen=True, kw_only=True)
class Choices:
    """The node's widgets."""

    name: str
    steps: int  # 0: by the number of pictures
    rank: int
    learning_rate: float
    seed: int
    batch_size: int
    trigger: str
    training_adapter: str
    accept_losing_8_steps: bool
    kind: Literal["lora", "lokr", "dora"] = "lora"


def train_lora(sockets: Sockets, choices: Choices) -> tuple[Trained, dict[str, Tensor]]:
    """Train, or go on, or only read what was trained before; the LoRA is in ComfyUI's names."""
    trained = train(sockets, [Stage(name="", config=config_of(sockets, choices))])
    return trained, comfyui_state(read_lora(trained.file))


def config_of(sockets: Sockets, choices: Choices) -> LoraConfig:
    """The widgets as a config; what the node does not ask is as on the command line."""
    adapter = choices.training_adapter
    return LoraConfig(
        model="of the socket",
        data=Path(sockets.dataset.name),
        out=output_file(choices.name, LORAS),
        steps=choices.steps or None,
        rank=choices.rank,
        lr=choices.learning_rate,
        seed=choices.seed,
        batch=choices.batch_size,
        trigger=choices.trigger,
        adapter=None if adapter == files.NO_LORA else Path(files.lora_path(adapter)),
        accept_losing_8_steps=choices.accept_losing_8_steps,
        kind=choices.kind,
    )

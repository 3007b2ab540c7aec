"""Everything one can choose in training, with its default: the keys of a recipe and the options of the command line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .options import Config, option
from .sources import Source, Sources
from .values import Choice, Number, Place, Switch, Text, Texts, Whole

MOST_STEPS, MOST_RANK, MOST_BATCH, MOST_TOKENS, MOST_STATES = 1_000_000, 1024, 4096, 10**7, 1000
MOST_LAYERS = 1000
MAX_SEED = 2**64 - 1
OPTIMIZERS = ("adamw", "adafactor", "adamw8bit", "prodigy", "adamw-schedulefree")
SHARE = Number(0.0, 1.0, has_low=True)


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(Config):
    """What every kind of training asks."""

    model: str = option(
        Text(may_be_empty=False), help="nano, or a folder laid out as diffusers lays out its own", metavar="M"
    )
    data: Path | tuple[Source, ...] = option(
        Sources(),
        help="a folder with fox.jpg beside fox.txt, …; for edits with fox.source.png and fox.target.png, or folders "
        "source and target; or kohya's dataset.toml, or a .jsonl with weights; nano:zorps, nano:zorp_pairs, "
        "nano:scenes, nano:sizes and nano:edits are drawn; in a recipe also a list of such, with weights",
        metavar="FOLDER",
    )
    out: Path = option(
        Place(), help="what is written; the state goes to FILE.training beside it", metavar="FILE.safetensors"
    )
    regularization: Path | None = option(
        Place(), None, help="pictures with captions of what must not change", metavar="FOLDER"
    )
    caption: str = option(Text(), "", help="of pictures without one", metavar="TEXT")
    side: int | None = option(Whole(16, 4096), None, help="pictures get the area of this square", metavar="PX")
    steps: int | None = option(
        Whole(1, MOST_STEPS), None, help="without it 100 a picture, at least 500 and at most 3000", metavar="N"
    )
    lr: float = option(Number(0.0, 100.0), 1e-4, help="learning rate")
    batch: int = option(Whole(1, MOST_BATCH), 1, help="pictures a step", metavar="N")
    token_budget: int = option(Whole(1, MOST_TOKENS), 4608, help="tokens that run at once", metavar="N")
    keep_activations: bool = option(
        Switch(), False, help="blocks are not computed again for their gradients: faster, with far more memory"
    )
    optimizer: str = option(Choice(OPTIMIZERS), "adamw")
    weight_decay: float = option(Number(0.0, 10.0, has_low=True), 0.01, metavar="W")
    beta2: float = option(SHARE, 0.99, help="decay of AdamW's mean of squared gradients", metavar="B")
    clip: float = option(Number(0.0, 1e9), 1.0, help="largest norm of a step's gradient", metavar="N")
    ema: float = option(SHARE, 0.99, help="decay of the average that is saved", metavar="D")
    warmup: float = option(SHARE, 0.05, help="share of the steps in which the learning rate rises", metavar="P")
    decay: float = option(SHARE, 0.3, help="share of the steps, at the end, in which it falls to 0", metavar="P")
    levels: Literal["logit-normal", "uniform"] = option(
        Choice(("logit-normal", "uniform")), "logit-normal", help="distribution of noise levels"
    )
    shift: float | Literal["dynamic"] = option(
        Number(0.0, 1000.0, word="dynamic"), 1.0, help="of the levels toward noise, or dynamic", metavar="K"
    )
    weighting: Literal["none", "bell", "sigma2"] = option(
        Choice(("none", "bell", "sigma2")), "none", help="of the losses by noise level"
    )
    caption_dropout: float = option(SHARE, 0.05, help="share of steps without the caption", metavar="P")
    patience: int | None = option(
        Whole(1, 1000), None, help="stop after so many validations (20 a run) without a better one", metavar="N"
    )
    keep: int = option(Whole(1, MOST_STATES), 1, help="saved states that stay, the newest among them", metavar="N")
    previews: tuple[str, ...] = option(Texts(), (), help="prompts that are drawn while it trains", metavar="TEXT")
    preview_every: int | None = option(
        Whole(1, MOST_STEPS), None, help="steps between previews; without it a fifth of all", metavar="N"
    )
    accept_losing_8_steps: bool = option(Switch(), False, help="train on Turbo itself, which then needs more steps")
    seed: int = option(Whole(0, MAX_SEED), 0, metavar="N")
    device: str | None = option(
        Text(), None, help="cpu, cuda, cuda:1, xpu or mps; without it a GPU if there is one", metavar="D"
    )
    dtype: Literal["float32", "bfloat16"] | None = option(
        Choice(("float32", "bfloat16")), None, help="to compute in; without it float32 on a CPU, else bfloat16"
    )
    compile: bool = option(
        Switch(), False, help="blocks are compiled, which takes a minute or two at first and makes later steps faster"
    )

    @property
    def sources(self) -> tuple[Source, ...]:
        """All folders that are learned from."""
        return self.data if isinstance(self.data, tuple) else (Source(folder=self.data),)


@dataclass(frozen=True, kw_only=True)
class LoraConfig(TrainingConfig):
    """Adapters on a frozen base."""

    kind: Literal["lora", "lokr", "dora"] = option(
        Choice(("lora", "lokr", "dora")), "lora", help="of the adapter's change to each weight"
    )
    layers: Literal["main", "all"] = option(
        Choice(("main", "all")), "main", help="whose attention and feed-forward learn; all: also the refiners'"
    )
    rank: int = option(Whole(1, MOST_RANK), 32, help="how much the LoRA can hold", metavar="R")
    alpha: float | None = option(Number(0.0, 1e4), None, help="without it the rank", metavar="A")
    quantize: Literal["int8", "fp8"] | None = option(
        Choice(("int8", "fp8")), None, help="of the frozen base's layers: half of bfloat16's memory, not exact"
    )
    stream: int = option(
        Whole(0, MOST_LAYERS), 0, help="layers of the base that are on the device only while they run", metavar="N"
    )
    trigger: str = option(Text(), "", help="what to write in prompts; noted down", metavar="WORD")
    adapter: Path | None = option(Place(), None, help="a de-distillation LoRA for training on Turbo", metavar="FILE")
    naming: Literal["ComfyUI", "diffusers"] = option(
        Choice(("ComfyUI", "diffusers")), "ComfyUI", help="of the file's tensors"
    )


@dataclass(frozen=True, kw_only=True)
class FullConfig(TrainingConfig):
    """All weights of the transformer."""

    lr: float = option(Number(0.0, 100.0), 1e-5, help="learning rate")
    from_scratch: bool = option(Switch(), False, help="random weights to begin with; the model gives only its sizes")


KINDS: dict[str, type[TrainingConfig]] = {"lora": LoraConfig, "full": FullConfig}
OF_THE_RUN = (
    *("model", "out", "kind", "layers", "rank", "alpha", "quantize", "stream", "trigger", "adapter", "naming"),
    *("from_scratch", "device", "dtype", "compile"),
)

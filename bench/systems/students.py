"""The updates of a few-step student and its fake score on the same weights, noise and levels, by two networks.

Ours is the pack's update. The other has its arithmetic, and asks diffusers' module with PEFT's layers, an adapter for
each role, as public trainers have it: every call embeds and refines the caption anew.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from zimage_core.config import DiTConfig
from zimage_core.model import S3DiT
from zimage_core.training.distillation.update import (
    FAKE,
    STUDENT,
    Distillation,
    Networks,
    fake_losses,
    student_losses,
)
from zimage_core.training.trainables import LoraTrainable, Roles

from ..random_weights import State
from .diffusers_networks import build_transformer
from .trainers import LEARNING_RATE

RANK = 32
SEED = 3  # of what an update draws


class Words(NamedTuple):
    """What diffusers' module is told of prompts."""

    caption: Tensor  # (b, n, f)


class OurStudent:
    """The pack's updates."""

    name = "ours"

    def __init__(self, config: DiTConfig, state: State, step_of: Distillation, caption: Tensor) -> None:
        dit = S3DiT(config, device="meta")
        dit.load_state_dict(state, assign=True)
        self.dit, self.step_of, self.caption = dit.requires_grad_(False), step_of, caption
        generator = torch.Generator().manual_seed(0)
        self.roles: Any = Roles(
            **{role: LoraTrainable(dit, rank=RANK, alpha=RANK, generator=generator) for role in (STUDENT, FAKE)}
        )
        self.learned = list(self.roles.parameters())
        self.optimizer = torch.optim.AdamW(self.learned, lr=LEARNING_RATE, fused=True)
        self.calls = 0

    def networks(self) -> Networks:
        """What an update asks; every call is counted."""
        return _Counted(self)

    def update(self, role: str) -> float:
        """One update of a role. Returns its loss before."""
        self.optimizer.zero_grad(set_to_none=True)
        losses_of = student_losses if role == STUDENT else fake_losses
        with self.roles.attached():
            loss = losses_of(self.networks(), self.step_of, 1, torch.Generator().manual_seed(SEED)).sum()
            loss.backward()
        self.optimizer.step()
        return loss.item()


class _Counted(Networks):
    """Our networks."""

    def __init__(self, student: OurStudent) -> None:
        self.student, captions = student, [student.caption]
        no_caption = torch.zeros(1, student.caption.shape[-1])
        super().__init__(student.dit, student.roles, captions, no_caption, student.step_of.cells)

    def predicted(self, *asked: Any, **options: Any) -> Tensor:
        self.student.calls += 1
        return super().predicted(*asked, **options)


class DiffusersStudent(OurStudent):
    """The same updates through diffusers' module with PEFT's adapters and its own gradient checkpointing."""

    name = "diffusers + PEFT"

    def __init__(self, config: DiTConfig, state: State, step_of: Distillation, caption: Tensor) -> None:
        from peft import LoraConfig  # type: ignore[import-not-found]

        super().__init__(config, state, step_of, caption)
        self.network = build_transformer(config, state).train()
        targets = r"layers\.\d+\.(attention\.to_(q|k|v|out\.0)|feed_forward\.w[123])"
        for role in (STUDENT, FAKE):
            lora = LoraConfig(r=RANK, lora_alpha=RANK, target_modules=targets)
            self.network.add_adapter(lora, adapter_name=role)
        self.network.enable_gradient_checkpointing()
        self.learned = [each for name, each in self.network.named_parameters() if ".lora_" in name]
        self.optimizer = torch.optim.AdamW(self.learned, lr=LEARNING_RATE, fused=True)
        self.roles = _PeftRoles(self.network)

    def networks(self) -> Networks:
        return _DiffusersNetworks(self)


class _PeftRoles(Roles):
    """PEFT's adapters by the name of their role."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = (network,)

    def set_role(self, role: str | None, strength: float = 1.0) -> None:
        (network,) = self.network
        if role is None:
            network.disable_adapters()
        else:
            network.enable_adapters()
            network.set_adapter(role)


class _DiffusersNetworks(Networks):
    def __init__(self, student: DiffusersStudent) -> None:
        self.student, self.dit, self.roles = student, student.dit, student.roles
        none = torch.zeros(1, 1, student.caption.shape[-1])
        words: Any = Words(student.caption[None]), Words(none)
        self.condition, self.no_condition = words

    def predicted(self, role: str | None, condition: Any, x: Tensor, sigma: Any, *_: Any, **__: Any) -> Tensor:
        self.student.calls += 1
        self.roles.set_role(role)
        captions = list(condition.caption.expand(len(x), -1, -1))
        return -torch.stack(self.student.network(list(x[:, :, None]), 1 - sigma, captions)[0])[:, :, 0]

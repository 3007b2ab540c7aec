"""Several adapters on one frozen base, which is in memory once: a student, a score of what it makes, and their teacher.

The network computes in one role at a time; in none it is the base itself, the teacher. What a role learns is its own
adapter's alone, so that nothing passes from one to another.
"""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager

from torch import nn

from .lora import LoraTrainable
from .trainable import Trainable


class Roles(Trainable):
    """Adapters by the name of their role; their parameters are `adapters.ROLE.…`.

    A `head` that reads the network learns beside them, and belongs to none of them: its parameters are `head.…`.
    """

    def __init__(self, head: nn.Module | None = None, **adapters: LoraTrainable) -> None:
        super().__init__()
        self.adapters = nn.ModuleDict(adapters)
        self.head = head
        self.role: str | None = None
        self.strength = 1.0
        self._attached = ExitStack()

    def set_role(self, role: str | None, strength: float = 1.0) -> None:
        """The network computes with this role's adapter, or a share of it, from now on; with None as if without any.

        Blocks that are computed again when gradients pass are so in the role of that moment: it has to be the one in
        which the loss was made.
        """
        if (role, strength) == (self.role, self.strength):
            return
        adapter = None if role is None else self.adapter(role)
        self._attached.close()
        if adapter is not None:
            self._attached.enter_context(adapter.attached(strength))
        self.role, self.strength = role, strength

    def adapter(self, role: str) -> LoraTrainable:
        """What learns in a role."""
        if role not in self.adapters:
            raise ValueError(f"there is no role {role}: choose {', '.join(self.adapters)}")
        adapter = self.adapters[role]
        assert isinstance(adapter, LoraTrainable)
        return adapter

    @contextmanager
    def attached(self) -> Generator[None]:
        """Roles may be set; afterwards the network is as before."""
        try:
            yield
        finally:
            self.set_role(None)

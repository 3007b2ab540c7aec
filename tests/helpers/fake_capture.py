"""A CUDA graph capture without a GPU: a replay runs the work again on the same buffers, as a graph does."""

from dataclasses import dataclass, field


@dataclass
class FakeCapture:
    """Counts captures and replays, and lists the `pool_from` of each capture."""

    captures: int = 0
    replays: int = 0
    pools_from: list = field(default_factory=list)

    def __call__(self, run, pool_from):
        self.captures += 1
        self.pools_from.append(pool_from)
        out = run()
        counter = self

        class Rerun:
            def replay(self):
                counter.replays += 1
                out.copy_(run())

        return out, Rerun()

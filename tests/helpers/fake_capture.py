"""A fake CUDA graph capture for CPUs: a replay runs the function again on the same buffers."""

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

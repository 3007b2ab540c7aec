"""`FileReport`: what a model file is, as a page for an artist or as the sentence a wrong file is refused with."""

from dataclasses import dataclass

from ..formats.errors import CheckpointError
from ..networks import AnyNetwork


@dataclass(frozen=True, kw_only=True)
class FileReport:
    """What a file or a set of shards is, and what to do with it."""

    file: str
    what: str  # with its article, "a Z-Image diffusion model"
    networks: tuple[AnyNetwork, ...] = ()  # those that can be loaded from it
    folder: str = ""  # the models/ folder it belongs in
    advice: str = ""  # what to do, where it cannot be loaded
    layout: str = ""
    release: str = ""  # Turbo, base, Omni or nano, and how that is known
    precision: str = ""
    n_layers: int = 0
    absent_layers: str = ""  # what is to be said of layers that are not there
    n_parameters: int = 0
    expected_bytes: int = 0
    found_bytes: int = 0

    def require(self, network: AnyNetwork) -> None:
        """Raise a `CheckpointError` unless `network` can be loaded from the file; it says what to use instead."""
        if network in self.networks:
            return
        what = f"{self.what} (it belongs in models/{self.folder})" if self.networks else self.what
        instead = self.advice or f"choose a file like {network.example} from models/{network.folder}"
        raise CheckpointError(f"{self.file} is {what}, not a Z-Image {network.name}; {instead}")

    def describe(self) -> str:
        """A few lines for an artist."""
        lines = [
            f"{self.file} is {self.what}",
            self.release and f"Release: {self.release}",
            self.layout and f"Layout: {self.layout}",
            f"Numbers: {self.precision}" if self.precision else "",
            self.n_layers and "; ".join(filter(None, (f"Layers: {self.n_layers}", self.absent_layers))),
            f"Parameters: {self.n_parameters:,}",
            self._size(),
            self.folder and f"Folder: models/{self.folder}",
            self.advice and f"What to do: {self.advice}",
        ]
        return "\n".join(str(line) for line in lines if line)

    def _size(self) -> str:
        found, expected = self.found_bytes, self.expected_bytes
        if found == expected:
            return f"Size: {found:,} bytes, complete"
        if found < expected:
            return f"Size: INCOMPLETE, {found:,} of {expected:,} bytes are there; download it again"
        return f"Size: {found - expected:,} bytes more than its header says; download it again"

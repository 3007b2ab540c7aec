"""What a file is, from its header alone: the sentence a wrong file is refused with, and the page an artist reads.

Turbo and base have the same tensors, so only a name or the header's free text can tell them apart; Omni and Edit have
more.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..formats.files import SHARD, header_of, headers_of
from ..formats.gguf_header import ARCHITECTURE
from ..formats.precision import precision_of
from ..formats.safetensors_header import CheckpointError, Entry, Header
from .foreign import OTHERS, QWEN, RELATIVES, TOWERS, Stranger, stranger_of
from .parts import CONTROL, PARTS, VISION, Part
from .shapes import SIGLIP_NORM, count

RELEASES = (  # pieces of names, the first that occurs decides
    (("de_turbo", "de-turbo", "deturbo"), "Turbo with its distillation undone (about 25 steps, CFG 3)"),
    (("turbo", "zit_", "zit-"), "Turbo (8 steps, CFG 1)"),
    (("base", "z_image", "z-image", "zimage"), "base (28 to 50 steps, CFG 3 to 5)"),
)
OMNI = "Omni or Edit (looks at reference pictures; about 50 steps, CFG 5 to 6); its tensors say so"
TELLING = ("modelspec.title", "modelspec.architecture", "general.name", "ss_base_model_version")
ARCHITECTURES = {  # llama.cpp's words for language models whose tensors all have the same names
    "qwen3vl": "a Qwen3-VL vision-language model",
    "qwen2vl": "a Qwen2.5-VL vision-language model",
    "qwen2": "a Qwen2.5 language model",
    "clip": "the picture side of a vision-language model (mmproj)",
    "t5": "a T5 text encoder",
    "t5encoder": "a T5 text encoder",
    "gemma2": "a Gemma 2 text encoder",
    "gemma3": "a Gemma 3 text encoder",
    "llama": "a Llama language model",
}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a file or a set of shards is, and what to do with it."""

    file: str
    what: str  # with its article, "a Z-Image diffusion model"
    parts: tuple[Part, ...] = ()  # the networks that can be loaded from it
    folder: str = ""  # the models/ folder it belongs in
    advice: str = ""  # what to do, where it cannot be loaded
    layout: str = ""
    release: str = ""  # Turbo or base, and how that is known
    precision: str = ""
    layers: int = 0
    parameters: int = 0
    expected: int = 0  # bytes
    found: int = 0

    def require(self, part: Part) -> None:
        """Refuse a file that `part` cannot be loaded from, saying what it is and what to use instead."""
        if part in self.parts:
            return
        belongs = f" (it belongs in models/{self.folder})" if self.parts else ""
        instead = self.advice or f"choose a file like {part.example} from models/{part.folder}"
        raise CheckpointError(f"{self.file} is {self.what}{belongs}, not a Z-Image {part.name}; {instead}")

    def describe(self) -> str:
        """A few lines for a person."""
        lines = [
            f"{self.file} is {self.what}",
            self.release and f"Release: {self.release}",
            self.layout and f"Layout: {self.layout}",
            f"Numbers: {self.precision}" if self.precision else "",
            self.layers and f"Layers: {self.layers}",
            f"Parameters: {self.parameters:,}",
            self._size(),
            self.folder and f"Folder: models/{self.folder}",
            self.advice and f"What to do: {self.advice}",
        ]
        return "\n".join(str(line) for line in lines if line)

    def _size(self) -> str:
        if self.found == self.expected:
            return f"Size: {self.found:,} bytes, complete"
        if self.found < self.expected:
            return f"Size: INCOMPLETE, {self.found:,} of {self.expected:,} bytes are there; download it again"
        return f"Size: {self.found - self.expected:,} bytes more than its header says; download it again"


def inspect(path: str | Path) -> Verdict:
    """What a file is. One shard stands for its whole model, where the others are there, and for itself otherwise."""
    path = Path(path)
    try:
        headers = list(headers_of(path).values())
    except CheckpointError:
        if not SHARD.fullmatch(path.name):
            raise
        headers = [header_of(path)]
    return verdict_of(headers, path)


def verdict_of(headers: Sequence[Header], path: Path) -> Verdict:
    """What the files behind a path are together."""
    entries = {key: entry for header in headers for key, entry in header.tensors.items()}
    metadata = {key: text for header in headers for key, text in header.metadata.items()}
    sizes = sum(header.expected for header in headers), sum(header.found for header in headers)
    return replace(judge(entries, metadata, path.name), expected=sizes[0], found=sizes[1])


def judge(entries: Mapping[str, Entry], metadata: Mapping[str, str], file: str) -> Verdict:
    """What tensors of these names, types and shapes are."""
    precision, parameters = precision_of(entries, metadata)
    verdict = Verdict(file=file, what="", precision=precision, parameters=parameters)
    stranger = _by_architecture(metadata) or stranger_of(entries, RELATIVES) or _pixel_space(entries)
    tower = stranger_of(entries, TOWERS)
    parts = tuple(part for part in PARTS if part.locate(entries.keys()) and not (tower and part is VISION))
    if stranger is None and parts:
        return _known(verdict, parts, entries, metadata)
    stranger = stranger or stranger_of(entries, OTHERS)
    if stranger is None:
        first = min(entries, default="nothing")[:80]
        return replace(verdict, what=f"an unknown model (its {len(entries)} tensors begin with {first})")
    if CONTROL.locate(entries.keys()):
        verdict = _known(verdict, (CONTROL,), entries, metadata)
    return replace(verdict, what=stranger.what, folder=stranger.folder, advice=stranger.advice)


def _known(
    verdict: Verdict, parts: tuple[Part, ...], entries: Mapping[str, Entry], metadata: Mapping[str, str]
) -> Verdict:
    part = parts[0]
    located = part.locate(entries.keys())
    assert located is not None
    prefix, layout = located
    inside = [key.removeprefix(prefix) for key in entries if key.startswith(prefix)]
    names = [f"a Z-Image {each.name}" for each in parts]
    return replace(
        verdict,
        what=names[0] if len(names) == 1 else f"an all-in-one checkpoint: {', '.join(names)}",
        parts=parts,
        folder=part.folder if len(parts) == 1 else "checkpoints",
        layout=f"{layout.name}, names begin with {prefix}" if prefix else layout.name,
        release=(OMNI if SIGLIP_NORM in inside else _release(verdict.file, metadata)) if part is PARTS[0] else "",
        layers=max(count(inside, depth) for depth in part.depths),
    )


def _by_architecture(metadata: Mapping[str, str]) -> Stranger | None:
    """A GGUF language model names its family; its tensors do not."""
    what = ARCHITECTURES.get(metadata.get(ARCHITECTURE, ""))
    return Stranger((), what, "text_encoders", QWEN) if what else None


def _pixel_space(entries: Mapping[str, Entry]) -> Stranger | None:
    """A Z-Image backbone whose patches are not 2x2 cells of 16 channels."""
    widths = [
        entry.shape[1]
        for key, entry in entries.items()
        if key.endswith(("x_embedder.weight", "x_embedder.2-1.weight"))
        and len(entry.shape) == 2
        and entry.dtype != "U8"
    ]
    if not widths or "cap_embedder.1.weight" not in "\n".join(entries) or 64 in widths:
        return None
    what = f"a relative of Z-Image with patches of {widths[0]} values instead of 64"
    return Stranger((), what, "diffusion_models", "it draws pixels or other latents and cannot be run here")


def _release(file: str, metadata: Mapping[str, str]) -> str:
    """Turbo, base or neither, with the source of the knowledge."""
    sources: Iterable[tuple[str, str]] = (
        *((f"its header's {key} says so", metadata.get(key, "")) for key in TELLING),
        ("its name says so", file),
    )
    for source, text in sources:
        for pieces, release in RELEASES:
            if any(piece in text.lower() for piece in pieces):
                return f"{release}; {source}"
    return ""

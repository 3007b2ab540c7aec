"""Which release of Z-Image a diffusion model is.

Turbo and base have the same tensors, so only the file's name or the header's free text can tell them apart; Omni and
Edit have more, nano smaller ones.
"""

from collections.abc import Iterable, Mapping, Sequence

from ...config import NANO_DIT
from ..networks.dit import SIGLIP_NORM
from ..networks.shapes import count_blocks

RELEASES = (  # pieces of names; the first that occurs decides
    (("de_turbo", "de-turbo", "deturbo"), "Turbo with its distillation undone (about 25 steps, CFG 3)"),
    (("turbo", "zit_", "zit-"), "Turbo (8 steps, CFG 1)"),
    (("base", "z_image", "z-image", "zimage"), "base (28 to 50 steps, CFG 3 to 5)"),
)
OMNI = "Omni or Edit (looks at reference pictures; about 50 steps, CFG 5 to 6); its tensors say so"
NANO = "nano (20 steps, CFG 3)"
METADATA_KEYS = ("modelspec.title", "modelspec.architecture", "general.name", "ss_base_model_version")


def release_of(sizes: Mapping[str, Sequence[int]], metadata: Mapping[str, str], file: str) -> str:
    """The release, its usual settings and how it is known, from shapes by key; empty if it is not known."""
    if is_nano(sizes):
        return f"{NANO}; its sizes say so"
    return OMNI if SIGLIP_NORM in sizes else release_by_name(metadata, file)


def is_nano(sizes: Mapping[str, Sequence[int]]) -> bool:
    """Whether depth and widths are the built-in model's; norms tell the widths, as no format packs them."""
    norms = {"cap_embedder.0.weight": NANO_DIT.cap_feat_dim, "layers.0.attention_norm1.weight": NANO_DIT.dim}
    return count_blocks(sizes, "layers") == NANO_DIT.n_layers and all(
        tuple(sizes.get(key, ())) == (width,) for key, width in norms.items()
    )


def release_by_name(metadata: Mapping[str, str], file: str) -> str:
    """The release that the header's metadata or else the file's name says; empty if neither does."""
    sources: Iterable[tuple[str, str]] = (
        *((f"its header's {key} says so", metadata.get(key, "")) for key in METADATA_KEYS),
        ("its name says so", file),
    )
    for source, text in sources:
        for pieces, release in RELEASES:
            if any(piece in text.lower() for piece in pieces):
                return f"{release}; {source}"
    return ""

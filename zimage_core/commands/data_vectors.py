"""What `zimage data embed` and `zimage data dedup` do with their parsed options."""

import argparse
import hashlib
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from torch import Tensor

from .._shapes import Float
from ..checkpoints.load import load_vision
from ..checkpoints.networks import VISION
from ..counted import counted
from ..curation.duplicates import DedupParameters, find_duplicates
from ..curation.embedding import EncoderChoice, Perceptual, embed_stage
from ..curation.engine import Record
from ..nano.files import file_of
from ..scoring.features import ClipFolder, EfficientNetLite, PictureEncoder, SiglipTower
from ..scoring.features.efficientnet import SHA256
from ..scoring.model_folder import checked_folder
from .data_stages import check_table, compute, silence_pillow, with_bar, written
from .machine import device_of

PERCEPTUAL, NANO, EFFICIENTNET = "perceptual", "nano", "efficientnet"
NANOS = "nano's SigLIP"
KNOWN = {Perceptual.name: PERCEPTUAL, NANOS: NANO, EfficientNetLite.name: EFFICIENTNET}  # those without a folder


def embed_pictures(options: argparse.Namespace) -> None:
    """Write the vectors."""
    check_table(options.out, "embed")
    silence_pillow()
    stage = embed_stage(options.profile, encoder_of(options.encoder, options.device))
    is_new, record = compute(stage, options.out)
    if options.json:
        print(json.dumps({"file": str(options.out), "new": is_new, **record.summary}))
        return
    found, changed = record.summary, record.summary["changed"]
    print(
        f"{options.out}: {counted(found['pictures'], 'picture')} by {record.parameters['encoder']}, vectors of "
        f"{found['length']}"
        + (f"; {changed} changed or gone since the profile: profile the folder again" if changed else "")
    )


def encoder_of(name: str, device: str | None) -> EncoderChoice:
    """The encoder of a name or a folder; nothing is loaded before there is something to do."""
    if name == PERCEPTUAL:
        return EncoderChoice(name=Perceptual.name, identity="", load=Perceptual)
    if name == NANO:
        file = file_of(VISION)
        return EncoderChoice(name=NANOS, identity=digest_of(file), load=partial(tower_of, file))
    if name == EFFICIENTNET:
        return EncoderChoice(name=EfficientNetLite.name, identity=SHA256, load=EfficientNetLite)
    folder = checked_folder(name)
    load: Callable[[], PictureEncoder] = partial(ClipFolder, folder, device_of(device))
    identity = "".join(digest_of(each) for each in sorted(folder.glob("*.safetensors")))
    return EncoderChoice(name=folder.name, identity=identity, load=load)


def choice_of_vectors(record: Record, folder: str | None, device: str | None) -> EncoderChoice:
    """The encoder that made an embedding; `folder` is that of a CLIP or SigLIP. Raises ValueError for another one."""
    if folder is None and record.parameters["encoder"] not in KNOWN:
        raise ValueError(
            f"the vectors are by {record.parameters['encoder']}: give its folder by --with, so that it looks again"
        )
    choice = encoder_of(folder or KNOWN[record.parameters["encoder"]], device)
    if (choice.name, choice.identity) != (record.parameters["encoder"], record.parameters["identity"]):
        raise ValueError(
            f"the vectors are by another version of {record.parameters['encoder']} than {choice.name} is: embed the "
            "pictures again"
        )
    return choice


def vectors_of_words(choice: EncoderChoice, texts: Sequence[str]) -> Float[Tensor, "n c"]:
    """Texts in the space of an encoder's pictures. Raises ValueError for one that knows no words."""
    encoder = choice.load()
    if not isinstance(encoder, ClipFolder):
        raise ValueError(f"{choice.name} knows no words: leave --with out, so that captions are searched")
    return encoder.words(texts)


def tower_of(file: Path) -> PictureEncoder:
    """The vision tower in a file."""
    return SiglipTower(load_vision(file))


def digest_of(file: Path) -> str:
    """What changes with a model's file: the first megabyte holds the header with every name and shape."""
    state = file.stat()
    with file.open("rb") as opened:
        return hashlib.sha256(f"{state.st_size} {state.st_mtime_ns}".encode() + opened.read(1 << 20)).hexdigest()


def list_duplicates(options: argparse.Namespace) -> None:
    """Write the list."""
    check_table(options.out, "dedup")
    parameters = DedupParameters(
        least_cosine=options.least,
        most_difference=None if options.vectors_only else options.most_difference,
        neighbours=options.neighbours,
        seed=options.seed,
        sample=options.sample,
    )
    is_new = with_bar(find_duplicates(options.vectors, options.out, parameters))
    record = written(options.out)
    result = {"file": str(options.out), "new": is_new, **record.summary}
    print(json.dumps(result) if options.json else duplicates_told(record, options.out))


def duplicates_told(record: Record, out: Path) -> str:
    """The result for a person."""
    found = record.summary
    return (
        f"{out}: {found['kept']} of {counted(found['pictures'], 'picture')} kept; {found['exact']} have another's "
        f"pixels, {found['near']} nearly. Nothing was deleted.\n"
        f"  against all pairs of {counted(found['sample'], 'picture')}: recall {found['recall']:.4f}, "
        f"adjusted Rand index of the groups {found['adjusted_rand']:.4f}"
    )

"""What `zimage data profile --learned` names: a column each, with the model that fills it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from .._shapes import Float
from ..curation.embedding import EncoderChoice
from ..curation.engine import file_digest
from ..curation.profiling import COLUMNS, HIGH, LOW, Column, LearnedColumn, LoadedOnce
from ..nano.judging.prompt_score import PromptScore
from ..scoring.classifying import ClassScore, FacesScore, FolderClassifier, LinearHead, OnnxClassifier, YuNet
from ..scoring.classifying.onnx_file import onnxruntime_version
from ..scoring.features import AestheticHead, AestheticScore, ClipFolder, PictureEncoder, SimilarityScore
from ..scoring.lettering import RapidReader, TesseractReader
from ..scoring.lettering.text_share import TextShareScore
from ..scoring.model_folder import checked_folder
from ..scoring.score import Score
from .data_vectors import encoder_of
from .machine import device_of

SIMILARITY, SCENE, TEXT_SHARE, FACES, AESTHETIC = "similarity", "scene", "text_share", "faces", "aesthetic"
READERS = {"rapidocr": RapidReader, "tesseract": TesseractReader}
REMEMBERED = 16  # pictures whose features are kept: two batches
SHOWN_DIGITS = 12  # of a SHA-256 in a source
SCORING = "zimage_core.scoring 1"
CLASS_REACH = 0.1  # of probability: one of 0.001 is not odd among those of 0.0001


@dataclass
class SharedEncoder:
    """An encoder for several columns: loaded once, and each of the last pictures is looked at once."""

    choice: EncoderChoice
    _encoder: PictureEncoder | None = field(default=None, repr=False)
    _last: dict[int, tuple[Image.Image, Tensor]] = field(
        default_factory=dict[int, tuple[Image.Image, Tensor]], repr=False
    )
    _lock: Any = field(default_factory=Lock, repr=False)

    @property
    def name(self) -> str:
        """That of the encoder."""
        return self.choice.name

    def pictures(self, pictures: Sequence[Image.Image]) -> Float[Tensor, "n c"]:
        """Features, of which those of a few pictures in memory are remembered."""
        with self._lock:
            new = list({id(each): each for each in pictures if id(each) not in self._last}.values())
            found = self.loaded().pictures(new) if new else ()
            added = {id(each): (each, vector) for each, vector in zip(new, found, strict=True)}
            known = {**self._last, **added}
            self._last = known if len(known) <= REMEMBERED else {id(each): known[id(each)] for each in pictures}
            return torch.stack([known[id(each)][1] for each in pictures])

    def words(self, texts: Sequence[str]) -> Float[Tensor, "n c"]:
        """Of an encoder that knows some, which was checked before."""
        encoder = self.loaded()
        if not isinstance(encoder, ClipFolder):
            raise TypeError(f"{self.name} knows no words")
        return encoder.words(texts)

    def loaded(self) -> PictureEncoder:
        """The encoder itself."""
        self._encoder = self._encoder or self.choice.load()
        return self._encoder

    def __getstate__(self) -> dict[str, Any]:
        return {"choice": self.choice}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.choice, self._encoder, self._last, self._lock = state["choice"], None, {}, Lock()


def learned_columns(given: Sequence[str], encoder: str | None, device: str | None) -> list[LearnedColumn]:
    """The columns of NAME or NAME=FILE each. Raises ValueError with one sentence for what cannot be one."""
    shared = shared_encoder(encoder, device)
    found = [column_of(name, file, shared, device) for name, _, file in (each.partition("=") for each in given)]
    names = [each.name for each in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"--learned names the column {twice[0]} twice; give each another name")
    return found


def shared_encoder(name: str | None, device: str | None) -> tuple[SharedEncoder, str, bool] | None:
    """The encoder of `data embed` by its name, where its weights are from, and whether it knows words."""
    if name is None:
        return None
    choice = encoder_of(name, device)
    is_folder = isinstance(choice.load, partial) and choice.load.func is ClipFolder
    if not is_folder:
        return SharedEncoder(choice), f"{choice.name} {choice.identity[:SHOWN_DIGITS]}".strip(), False
    digest = folder_digest(checked_folder(name))
    return SharedEncoder(choice), f"{choice.name} sha256 {digest}, transformers {version('transformers')}", True


def folder_digest(folder: Path) -> str:
    """Of all weights in it."""
    digests = [file_digest(each)[:SHOWN_DIGITS] for each in sorted(folder.glob("*.safetensors"))]
    return " ".join(digests)


def column_of(
    name: str, file: str, shared: tuple[SharedEncoder, str, bool] | None, device: str | None
) -> LearnedColumn:
    """The column of a name, and of the file behind it where it needs one."""
    if not name.isidentifier() or name in {each.name for each in COLUMNS}:
        raise ValueError(f"'{name[:40]}' cannot be a learned column: take letters, digits and _, and no measure's name")
    if name == SIMILARITY:
        encoder, source, knows_words = needed(shared, name)
        if not knows_words:
            raise ValueError(
                f"similarity compares with captions, and {encoder.name} knows no words: give --with the folder of a "
                "CLIP or SigLIP"
            )
        return learned(name, source, "cosine between picture and caption", LOW, partial(similarity, encoder))
    if name == SCENE:
        meaning = "share of what the caption says of nano's world that the picture shows"
        return learned(name, f"{PromptScore.reader}, zimage_core.nano.judging 1", meaning, LOW, PromptScore)
    if name == TEXT_SHARE:
        return text_share(file)
    if not file:
        raise ValueError(f"--learned {name} needs a file of yours: write {name}=FILE")
    path = Path(file).expanduser()
    if not path.exists():
        raise ValueError(f"--learned {name}: there is no file {path}")
    if name == FACES:
        meaning = "how many faces YuNet finds"
        return learned(name, f"{told_file(path)}, {onnxruntime_version()}", meaning, HIGH, partial(faces, path))
    if name == AESTHETIC:
        encoder, source, _ = needed(shared, name)
        by = partial(aesthetic, encoder, path)
        return learned(name, f"{told_file(path)} on {source}", "the head's number, on its own scale", LOW, by)
    return class_column(name, path, shared, device)


def class_column(
    name: str, path: Path, shared: tuple[SharedEncoder, str, bool] | None, device: str | None
) -> LearnedColumn:
    """What a classifier gives the class of that name."""
    meaning = f"what the source gives the class '{name}', 0 to 1; no verdict"
    if path.is_dir():
        source = f"{path.resolve().name} sha256 {folder_digest(checked_folder(path))}, transformers "
        by_folder = partial(class_by_folder, name, path, device_of(device))
        return learned(name, source + version("transformers"), meaning, HIGH, by_folder, CLASS_REACH)
    if path.suffix == ".onnx":
        by_onnx = partial(class_by_onnx, name, path)
        return learned(name, f"{told_file(path)}, {onnxruntime_version()}", meaning, HIGH, by_onnx, CLASS_REACH)
    if path.suffix == ".safetensors":
        encoder, source, _ = needed(shared, name)
        by_head = partial(class_by_head, name, encoder, path)
        return learned(name, f"{told_file(path)} on {source}", meaning, HIGH, by_head, CLASS_REACH)
    raise ValueError(
        f"--learned {name}: {path.name} is no classifier; give a linear head (.safetensors), an .onnx file or a folder "
        "as transformers writes it"
    )


def needed(shared: tuple[SharedEncoder, str, bool] | None, name: str) -> tuple[SharedEncoder, str, bool]:
    """The encoder of --with."""
    if shared is None:
        raise ValueError(f"--learned {name} looks at an encoder's features: name it with --with, as for data embed")
    return shared


def text_share(reader: str) -> LearnedColumn:
    """By a reader's name, PP-OCRv6 without one."""
    make = READERS.get(reader or "rapidocr")
    if make is None:
        raise ValueError(f"--learned text_share: there is no reader '{reader[:40]}'; choose {' or '.join(READERS)}")
    by: Callable[[], Score] = partial(text_share_by, make)
    return learned(TEXT_SHARE, make().name, "area of the lines that were read, of the picture's", HIGH, by)


def learned(
    name: str, source: str, meaning: str, faulty: str, make: Callable[[], Score], least_reach: float = 0.0
) -> LearnedColumn:
    """A column of numbers that do not spread by factors."""
    told = f"{source}; {SCORING}"
    column = Column(name, "float64", told, meaning, faulty, least_reach, by_factors=False)
    reads_captions = name in (SIMILARITY, SCENE)
    return LearnedColumn(column=column, identity=told, score=LoadedOnce(make), reads_captions=reads_captions)


def told_file(path: Path) -> str:
    """A file's name, and the beginning of its SHA-256."""
    return f"{path.name} sha256 {file_digest(path)[:SHOWN_DIGITS]}"


def similarity(encoder: SharedEncoder) -> Score:
    """What fills the column of that name, as the functions below."""
    return SimilarityScore(encoder)


def aesthetic(encoder: SharedEncoder, file: Path) -> Score:
    """By a head of the user's."""
    return AestheticScore(encoder, AestheticHead(file))


def text_share_by(make: Callable[[], Any]) -> Score:
    """By a reader."""
    return TextShareScore(make())


def faces(file: Path) -> Score:
    """By YuNet."""
    return FacesScore(YuNet(file))


def class_by_folder(name: str, folder: Path, device: Any) -> Score:
    """By a model that transformers reads."""
    return ClassScore(FolderClassifier(folder, device), name)


def class_by_onnx(name: str, file: Path) -> Score:
    """By a model that onnxruntime runs."""
    return ClassScore(OnnxClassifier(file), name)


def class_by_head(name: str, encoder: SharedEncoder, file: Path) -> Score:
    """By a linear layer over features."""
    return ClassScore(LinearHead(encoder, file), name)

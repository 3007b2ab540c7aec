"""nano's captioner: words that a reader finds in the tower's patches, and the writer's language model after them.

It reads no instruction: it knows six tasks by name, five kinds of captions of one picture and the difference of two.
A difference is found by comparing the words of both pictures; the language model writes it where they tell none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file

from .._shapes import Float
from ..checkpoints import load_vision
from ..language import GREEDY, LanguageHead, LanguageModel
from ..language.back_end import LoadedModel, Question, Text
from ..text import Qwen3, load_detokenizer, load_tokenizer
from ..vision import Siglip2
from .data.picture_captions import DIFFERENCE, KINDS, USER
from .data.scene_captions import difference_caption
from .files import FOLDER, TOKENIZER
from .picture_tokens import PLACE, PictureReader, composition_of, picture_marks, word_ids, words_seen
from .writer import load_writing_model

READER = Path("writer/picture_reader.safetensors")
NAME = "nano's captioner"
PICTURES = {**dict.fromkeys(KINDS, 1), DIFFERENCE: 2}  # that each kind of caption is said of


def written_question(n_pictures: int, kind: str, language: str) -> str:
    """What the captioner reads: places for the pictures' words, the language to answer in, and the kind."""
    return f"{picture_marks(n_pictures)}{language}: {kind}"


class SeeingLanguageModel(LanguageModel):
    """A language model that finds pictures' words in their places."""

    def __init__(self, encoder: Qwen3, head: LanguageHead, place: int, tokens: Float[torch.Tensor, "n d"]) -> None:
        super().__init__(encoder, head)
        self._place, self._tokens = place, tokens

    def embed(self, ids: Sequence[int]) -> Float[torch.Tensor, "1 n d"]:
        """Rows of the embedding table, pictures' words in between; pictures stand in the prompt, which is one call."""
        x = super().embed(ids)
        is_place = torch.tensor([each == self._place for each in ids])
        return x.masked_scatter(is_place[None, :, None], self._tokens) if is_place.any() else x


class NanoCaptioner:
    """A back end that answers a kind of caption for one of nano's pictures, or "difference" for two."""

    name = NAME
    reads_instructions = False
    sees = True

    def __init__(self, writer: LanguageModel, tower: Siglip2, reader: PictureReader, tokenizer: Path) -> None:
        self._writer, self._tower, self._reader = writer, tower, reader
        self._tokenize, self._detokenize = load_tokenizer(tokenizer), load_detokenizer(tokenizer)

    def write(self, question: Question) -> Iterator[Text]:
        """A caption of the kind that the prompt names, without a thought.

        The likeliest words, but of a user's request, which may be any.
        """
        kind = question.prompt
        if kind not in PICTURES:
            raise ValueError(f"nano's captioner was asked for {kind!r}; it knows: {', '.join(PICTURES)}")
        if len(question.pictures) != PICTURES[kind]:
            raise ValueError(
                f"nano's captioner was shown {len(question.pictures)} pictures; {kind!r} is said of {PICTURES[kind]}"
            )
        seen = words_seen(self._tower, self._reader, question.pictures)
        if kind == DIFFERENCE and (told := _difference(seen, question.language)):
            return iter((Text("answer", told),))
        own = replace(
            question,
            prompt=written_question(PICTURES[kind], kind, question.language),
            pictures=(),
            instruction="",
            budgets=replace(question.budgets, thought=0),
            sampling=question.sampling if kind == USER else GREEDY,
        )
        return self._with_words(seen).write(own)

    @torch.no_grad()
    def _with_words(self, seen: Float[torch.Tensor, "p m w"]) -> LoadedModel:
        (place,) = self._tokenize(PLACE)
        words = self._writer.embed(word_ids(self._tokenize))[0]  # (w, d)
        tokens = (seen @ words).flatten(0, 1)
        model = SeeingLanguageModel(self._writer.encoder, self._writer.head, place, tokens)
        return LoadedModel(NAME, model, self._tokenize, self._detokenize)


def _difference(seen: Float[torch.Tensor, "2 m w"], language: str) -> str:
    """The instruction that leads from one reading to the other; empty where both are equal or one is no scene."""
    try:
        before, after = map(composition_of, seen)
    except ValueError:
        return ""
    return difference_caption(before, after, language)


def load_captioner(folder: Path = FOLDER) -> NanoCaptioner:
    """The captioner in the built-in model's folder, or in one that a recipe made."""
    tower = load_vision(folder / "siglip", torch.float32)
    return NanoCaptioner(load_writing_model(folder), tower, load_reader(folder), folder / TOKENIZER)


def load_reader(folder: Path = FOLDER) -> PictureReader:
    """The reader's weights, in float32."""
    reader = PictureReader()
    reader.load_state_dict({key: value.float() for key, value in load_file(folder / READER).items()})
    return reader.requires_grad_(False).eval()

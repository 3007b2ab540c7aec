"""GenEval as a score: a detector, where it tells no colours somebody who does, and the rules."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from PIL import Image

from ..score import Measurement, Request
from .detector import ColourReader, Detection, Detector, DetectorError
from .geneval import COLOURS, clauses_of, judge, kept


class GenEvalScore:
    """1 for a picture that shows what its record demands, else 0; what failed stands in the notes."""

    name = "GenEval"
    higher_is_better = True

    def __init__(
        self, detector: Detector, colour_reader: ColourReader | None = None, colours: Sequence[str] = COLOURS
    ) -> None:
        self.detector, self.colour_reader, self.colours = detector, colour_reader, tuple(colours)

    @property
    def reader(self) -> str:
        """The detector, and who tells colours."""
        return self.detector.name + (f", colours by {self.colour_reader.name}" if self.colour_reader else "")

    def __call__(self, pictures: Sequence[Image.Image], requests: Sequence[Request]) -> list[Measurement]:
        """One number a picture; the record is the request's `rules`."""
        return [self._measure(*each) for each in zip(pictures, requests, strict=True)]

    def _measure(self, picture: Image.Image, request: Request) -> Measurement:
        if "include" not in request.rules:
            return Measurement.missing(
                "GenEval needs the prompt's line of evaluation_metadata.jsonl; this request has none"
            )
        try:
            objects = kept(self.detector.detect(picture), str(request.rules.get("tag", "")))
            verdict = judge(self._coloured(picture, objects, request.rules), request.rules)
        except (DetectorError, ValueError) as error:
            return Measurement.missing(str(error))
        parts = {"clauses": verdict.clauses, "clauses met": verdict.clauses - len(verdict.failed)}
        return Measurement(value=float(verdict.is_right), parts=parts, notes="; ".join(verdict.failed))

    def _coloured(
        self, picture: Image.Image, objects: Mapping[str, Sequence[Detection]], record: Mapping[str, object]
    ) -> Mapping[str, Sequence[Detection]]:
        """The objects with colours where a clause asks for one."""
        asked = {clause.name for clause in clauses_of(record, "include") if clause.colour is not None}
        unknown = {name for name in asked if any(each.colour is None for each in objects.get(name, ()))}
        if unknown and self.colour_reader is None:
            raise DetectorError(
                f"{self.detector.name} tells no colours, and the prompt asks for one; give a CLIP model"
            )
        return {
            name: self._with_colours(picture, group) if name in unknown else group for name, group in objects.items()
        }

    def _with_colours(self, picture: Image.Image, group: Sequence[Detection]) -> Sequence[Detection]:
        assert self.colour_reader is not None
        colours = self.colour_reader.colours(picture, group, self.colours)
        return [replace(each, colour=colour) for each, colour in zip(group, colours, strict=True)]

"""What will be where, and how much memory that takes, decided before anything is loaded and told in one line.

A run has three phases that need not be on the device together: the text encoder reads, the transformer draws, the
autoencoder decodes. Exact weights are kept where they fit whole; where they do not, an 8-bit precision is taken if the
user allowed one, and blocks stream if that is not enough.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from ...vae import decode_budget_bytes
from ...vae.activation_bytes import middle
from ..byte_counts import (
    EIGHT_BIT,
    Precision,
    Tokens,
    decoder_bytes,
    embedding_bytes,
    encode_bytes,
    step_bytes,
    text_bytes,
    transformer_bytes,
)
from .copy_streams import SLOTS
from .overlap import step_seconds
from .task import DTYPES, Machine, Networks, Picture, PlanError

ARENA_SHARE = 2  # of free main memory, at most one part in so many is locked: Windows allows no more
FEWEST_STREAMED = SLOTS + 2  # as many blocks as slots would save nothing; with even numbers addresses never change


@dataclass(frozen=True, kw_only=True)
class Peaks:
    """Expected bytes at the fullest moment of each phase, in the memory of what works in it."""

    text: int  # main memory, if the encoder lives there
    transformer: int
    decode: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Where everything is when."""

    kind: str  # of device
    precision: Precision
    is_exact: bool  # the precision is that of the file
    resident: int  # of the transformer's layers
    streamed: int
    transfer_seconds: float  # of one step's copies
    tables_leave: bool  # caption stream and adaLN are on the device only while a run is prepared
    text_on: Literal["device", "host"]
    text_leaves: bool  # before the transformer comes
    transformer_leaves: bool  # before the picture is decoded
    decode: Literal["whole", "strips"]
    decode_budget: int  # bytes, for `vae.decode_within`
    arena_limit: int  # bytes, for `streaming.stream`
    peaks: Peaks
    refused: tuple[str, ...] = ()  # what the user allowed and this machine cannot do

    @property
    def peak(self) -> int:
        """Expected bytes at the fullest moment on the device."""
        text = self.peaks.text if self.text_on == "device" or self.kind == "cpu" else 0
        return max(text, self.peaks.transformer, self.peaks.decode)

    def step_seconds(self, compute: float) -> float:
        """Seconds of a step whose blocks compute so long, copies included, but for one block."""
        return step_seconds(compute, self.transfer_seconds, self.resident + self.streamed, self.streamed)

    def __str__(self) -> str:
        n_layers = self.resident + self.streamed
        blocks = f"{self.resident} of {n_layers} blocks resident, {self.streamed} stream"
        after = " after the transformer has left" if self.transformer_leaves else ""
        decode = "whole" if self.decode == "whole" else "in strips of rows"
        parts = (
            self.precision if self.is_exact else f"{self.precision} (lossy)",
            blocks if self.streamed else f"all {n_layers} blocks resident",
            "text encoder on CPU" if self.text_on == "host" else "text encoder on the device",
            "leaves before the transformer comes" if self.text_on == "device" and self.text_leaves else "",
            f"autoencoder {decode}{after}",
            f"expected peak {gigabytes(self.peak)}",
        )
        return "plan: " + ", ".join(part for part in parts if part)


class Residency(NamedTuple):
    """Where the transformer's weights are, and what that takes of the device."""

    precision: Precision
    streamed: int
    tables_leave: bool
    loaded: int  # bytes of weights and slots for as long as it draws
    peak: int


def make_plan(networks: Networks, picture: Picture, machine: Machine, allowed: Sequence[Precision] = ()) -> Plan:
    """The plan for one run. `allowed` are the lossy precisions the user consents to, the preferred one first."""
    allowed = [] if networks.layers in EIGHT_BIT else allowed
    objections = {precision: _objection(precision, networks, machine) for precision in allowed}
    refused = tuple(objection for objection in objections.values() if objection)
    chosen = next(residencies(networks, picture, machine), None)
    if chosen is None or chosen.streamed:
        smaller = [replace(networks, layers=precision) for precision in allowed if not objections[precision]]
        fitting = (residency for each in smaller for residency in residencies(each, picture, machine))
        chosen = next(fitting, chosen)
    if chosen is None:
        raise PlanError(_no_room(networks, picture, machine, allowed, refused))
    return _around(chosen, networks, picture, machine, refused)


def _objection(precision: Precision, networks: Networks, machine: Machine) -> str:
    """Why the layers cannot be brought to a precision on this machine; nothing if they can."""
    total = transformer_bytes(networks.transformer, precision, networks.rest).total
    if total > machine.free_host:
        return (
            f"{precision} weights are made in main memory, which needs {gigabytes(total)} and has "
            f"{gigabytes(machine.free_host)} free"
        )
    return machine.objection(precision)


def residencies(networks: Networks, picture: Picture, machine: Machine) -> Iterator[Residency]:
    """Ways to place the transformer that fit, those that move least first."""
    for residency in _all_residencies(networks, picture, machine):
        weights = transformer_bytes(networks.transformer, networks.layers, networks.rest)
        is_in_memory = machine.kind == "cpu" or residency.streamed * weights.layer <= machine.free_host
        if residency.peak <= machine.budget and is_in_memory:
            yield residency


def _all_residencies(networks: Networks, picture: Picture, machine: Machine) -> Iterator[Residency]:
    weights = transformer_bytes(networks.transformer, networks.layers, networks.rest)
    tokens = picture.tokens(networks)
    widths = networks.transformer, networks.layers, networks.rest
    step = step_bytes(widths[0], tokens, *widths[1:])
    caption = Tokens(image=0, joint=tokens.joint - tokens.image)
    preparing = weights.preparation + step_bytes(widths[0], caption, *widths[1:])
    yield Residency(networks.layers, 0, False, weights.total, weights.total + step)
    if machine.kind == "cpu":
        return  # there is nowhere to go from main memory
    even = range(FEWEST_STREAMED, weights.n_layers, 2)
    for streamed in (0, *even, weights.n_layers):
        loaded = weights.every_step + (weights.n_layers - streamed) * weights.layer
        loaded += SLOTS * weights.layer if streamed else 0
        yield Residency(networks.layers, streamed, True, loaded, loaded + max(step, preparing))


def _around(
    chosen: Residency, networks: Networks, picture: Picture, machine: Machine, refused: tuple[str, ...]
) -> Plan:
    """The rest of the plan, once the transformer has its place."""
    layer = transformer_bytes(networks.transformer, chosen.precision, networks.rest).layer
    text, decode = _text(networks, picture, machine), _decode(chosen, networks, picture, machine)
    staying = text.weights if text.place == "device" or machine.kind == "cpu" else 0
    leaves = staying + max(chosen.peak, decode.peak) > machine.budget
    kept = 0 if leaves else staying
    n_layers, streamed = networks.transformer.n_layers, chosen.streamed
    return Plan(
        kind=machine.kind,
        precision=chosen.precision,
        is_exact=chosen.precision == networks.layers,
        resident=n_layers - streamed,
        streamed=streamed,
        transfer_seconds=streamed * layer / machine.bandwidth,
        tables_leave=chosen.tables_leave,
        text_on=text.place,
        text_leaves=leaves,
        transformer_leaves=decode.transformer_leaves,
        decode=decode.how,
        decode_budget=decode.budget,
        arena_limit=machine.free_host // ARENA_SHARE,
        peaks=Peaks(text=text.peak, transformer=kept + chosen.peak, decode=kept + decode.peak),
        refused=refused,
    )


class _Text(NamedTuple):
    place: Literal["device", "host"]
    weights: int
    peak: int


def _text(networks: Networks, picture: Picture, machine: Machine) -> _Text:
    """On the device where it fits alone; its embedding table never needs to be there."""
    layers = text_bytes(networks.text, networks.text_precision)
    activations = encode_bytes(networks.text, picture.caption_tokens, networks.text_precision)
    if machine.kind != "cpu" and layers + activations <= machine.budget:
        return _Text("device", layers, layers + activations)
    whole = layers + embedding_bytes(networks.text, networks.text_precision)
    if whole + activations > machine.free_host:
        raise PlanError(
            f"the text encoder needs {gigabytes(whole + activations)} of main memory, "
            f"{gigabytes(machine.free_host)} are free: close other programs, or choose a smaller file of it"
        )
    return _Text("host", whole, whole + activations)


class _Decode(NamedTuple):
    peak: int
    transformer_leaves: bool
    how: Literal["whole", "strips"]
    budget: int  # of activations


def _decode(chosen: Residency, networks: Networks, picture: Picture, machine: Machine) -> _Decode:
    """Whole beside the transformer, else whole without it, else in strips, which take what they are given."""
    config, dtype = networks.autoencoder, DTYPES[networks.autoencoder_precision]
    weights = decoder_bytes(config, networks.autoencoder_precision)
    cells = picture.cells(networks)
    whole = picture.batch * decode_budget_bytes(config, cells, dtype)
    for leaves, loaded in ((False, chosen.loaded), (True, 0)):
        if loaded + weights + whole <= machine.budget:
            return _Decode(loaded + weights + whole, leaves, "whole", whole)
    attention = max(map(sum, middle(config.decoder_widths[-1], cells[0] * cells[1])))  # never in strips
    least = weights + picture.batch * dtype.itemsize * attention
    if least > machine.budget:
        raise PlanError(
            f"decoding {picture.batch} of {picture.width}x{picture.height} needs {gigabytes(least)} on the device, "
            f"{gigabytes(machine.budget)} may be used: free some, or decode on the processor"
        )
    return _Decode(machine.budget, True, "strips", machine.budget - weights)


def _no_room(
    networks: Networks, picture: Picture, machine: Machine, allowed: Sequence[Precision], refused: Sequence[str]
) -> str:
    """The sentence that says what would be needed."""
    everywhere = list(_all_residencies(networks, picture, machine))
    fitting = [residency for residency in everywhere if residency.peak <= machine.budget]
    if fitting:  # but what would stream has no room in main memory
        least = min(fitting, key=lambda each: each.streamed)
        layer = transformer_bytes(networks.transformer, networks.layers, networks.rest).layer
        needed, found, where = least.streamed * layer, machine.free_host, "main memory"
    else:
        least = min(everywhere, key=lambda each: each.peak)
        needed, found, where = least.peak, machine.budget, "main memory" if machine.kind == "cpu" else "the device"
    remedy = "" if allowed or networks.layers in EIGHT_BIT else ", allow int8"
    how = f" with {least.streamed} blocks streamed" if least.streamed else ""
    sentence = (
        f"drawing {picture.batch} of {picture.width}x{picture.height} needs {gigabytes(needed)} of {where}{how}, "
        f"{gigabytes(found)} may be used: choose a smaller picture{remedy}, or close other programs"
    )
    return "; ".join((sentence, *refused))


def gigabytes(size: int) -> str:
    """A size for a person."""
    return f"{size / 1e9:.1f} GB"

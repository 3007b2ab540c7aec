"""The memory plan of one run: which network is where and when, and the memory that takes, before anything is loaded.

A run has three phases whose networks need not be on the device together: encoding the prompt, sampling, decoding. Exact
weights are kept where all of them fit; where they do not, an 8-bit precision is used if the user allowed one, and
blocks are streamed if that is not enough.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from ...vae import decode_budget_bytes, decode_peak_bytes
from ...vae.activation_bytes import middle_steps
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
from .plan_inputs import DTYPES, Machine, Networks, Picture, PlanError

ARENA_SHARE = 2  # at most 1 / ARENA_SHARE of free RAM is pinned: Windows allows no more
FEWEST_STREAMED = SLOTS + 2  # streaming as many blocks as there are slots would save nothing


@dataclass(frozen=True, kw_only=True)
class Peaks:
    """Expected peak bytes of each phase, in the memory of the device that computes it."""

    text: int  # of RAM, if the encoder runs on the CPU
    transformer: int
    decode: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which network is where and when. "Offloaded" networks go back to RAM, or from RAM where that is the device."""

    kind: str  # of device, as `Machine.kind`
    precision: Precision
    is_exact: bool  # `precision` is the one the transformer is loaded in
    resident: int  # of the transformer's layers
    streamed: int
    offload_preparation: bool  # caption refiner and adaLN are on the device only before the first step
    text_on: Literal["device", "cpu"]
    offload_text: bool  # before the transformer is loaded
    offload_transformer: bool  # before the picture is decoded
    decode: Literal["whole", "strips"]
    decode_budget: int  # bytes, for `vae.decode_within`
    arena_limit: int  # bytes, for `streaming.stream`
    peaks: Peaks
    refused: tuple[str, ...] = ()  # precisions the user allowed and this machine cannot use, and why

    @property
    def peak(self) -> int:
        """Expected peak bytes on the device."""
        text = self.peaks.text if self.text_on == "device" or self.kind == "cpu" else 0
        return max(text, self.peaks.transformer, self.peaks.decode)

    def __str__(self) -> str:
        n_layers = self.resident + self.streamed
        blocks = f"{self.resident} of {n_layers} blocks resident, {self.streamed} stream"
        after = " after the transformer has left" if self.offload_transformer else ""
        decode = "whole" if self.decode == "whole" else "in strips of rows"
        parts = (
            self.precision if self.is_exact else f"{self.precision} (lossy)",
            blocks if self.streamed else f"all {n_layers} blocks resident",
            "text encoder on CPU" if self.text_on == "cpu" else "text encoder on the device",
            "leaves before the transformer comes" if self.text_on == "device" and self.offload_text else "",
            f"autoencoder {decode}{after}",
            f"expected peak {size_text(self.peak)}",
        )
        return "plan: " + ", ".join(part for part in parts if part)


class TransformerPlacement(NamedTuple):
    """Where the transformer's weights are, and the device memory that takes."""

    precision: Precision
    streamed: int
    offload_preparation: bool
    loaded: int  # bytes of weights and slots, all the time it samples
    peak: int


def make_plan(networks: Networks, picture: Picture, machine: Machine, allowed: Sequence[Precision] = ()) -> Plan:
    """The plan for one run. `allowed` are the lossy precisions the user permits, the preferred one first.

    Raises `PlanError` where nothing fits.
    """
    allowed = [] if networks.layers in EIGHT_BIT else allowed
    reasons = {precision: _unsupported_reason(precision, networks, machine) for precision in allowed}
    refused = tuple(reason for reason in reasons.values() if reason)
    chosen = next(transformer_placements(networks, picture, machine), None)
    if chosen is None or chosen.streamed:
        smaller = [replace(networks, layers=precision) for precision in allowed if not reasons[precision]]
        fitting = (placement for each in smaller for placement in transformer_placements(each, picture, machine))
        chosen = next(fitting, chosen)
    if chosen is None:
        raise PlanError(_refusal(networks, picture, machine, allowed, refused))
    return _complete(chosen, networks, picture, machine, refused)


def _unsupported_reason(precision: Precision, networks: Networks, machine: Machine) -> str:
    """Why the layers cannot be quantized to a precision on this machine; empty if they can."""
    total = transformer_bytes(networks.transformer, precision, networks.rest).total
    if total > machine.free_ram:
        return (
            f"{precision} weights are made in main memory, which needs {size_text(total)} and has "
            f"{size_text(machine.free_ram)} free"
        )
    return machine.unsupported_reason(precision)


def transformer_placements(networks: Networks, picture: Picture, machine: Machine) -> Iterator[TransformerPlacement]:
    """The placements of the transformer that fit, those that copy least first."""
    for placement in _all_placements(networks, picture, machine):
        weights = transformer_bytes(networks.transformer, networks.layers, networks.rest)
        is_in_memory = machine.kind == "cpu" or placement.streamed * weights.layer <= machine.free_ram
        if placement.peak <= machine.budget and is_in_memory:
            yield placement


def _all_placements(networks: Networks, picture: Picture, machine: Machine) -> Iterator[TransformerPlacement]:
    """Everything resident, then without the weights of the preparation, then with more and more blocks streamed."""
    weights = transformer_bytes(networks.transformer, networks.layers, networks.rest)
    tokens = picture.tokens(networks)
    widths = networks.transformer, networks.layers, networks.rest
    step = step_bytes(widths[0], tokens, *widths[1:])
    caption = Tokens(image=0, joint=tokens.joint - tokens.image)
    preparing = weights.preparation + step_bytes(widths[0], caption, *widths[1:])
    yield TransformerPlacement(networks.layers, 0, False, weights.total, weights.total + step)
    if machine.kind == "cpu":
        return  # there is no other memory to offload to
    even = range(FEWEST_STREAMED, weights.n_layers, 2)  # with an even number every block always gets the same slot
    for streamed in (0, *even, weights.n_layers):
        loaded = weights.every_step + (weights.n_layers - streamed) * weights.layer
        loaded += SLOTS * weights.layer if streamed else 0
        yield TransformerPlacement(networks.layers, streamed, True, loaded, loaded + max(step, preparing))


def _complete(
    chosen: TransformerPlacement, networks: Networks, picture: Picture, machine: Machine, refused: tuple[str, ...]
) -> Plan:
    """The rest of the plan, once the transformer has been placed."""
    text, decode = _text(networks, picture, machine), _decode(chosen, networks, picture, machine)
    text_weights = text.weights if text.place == "device" or machine.kind == "cpu" else 0  # on the computing device
    offload_text = text_weights + max(chosen.peak, decode.peak) > machine.budget
    beside = 0 if offload_text else text_weights
    n_layers, streamed = networks.transformer.n_layers, chosen.streamed
    return Plan(
        kind=machine.kind,
        precision=chosen.precision,
        is_exact=chosen.precision == networks.layers,
        resident=n_layers - streamed,
        streamed=streamed,
        offload_preparation=chosen.offload_preparation,
        text_on=text.place,
        offload_text=offload_text,
        offload_transformer=decode.offload_transformer,
        decode=decode.how,
        decode_budget=decode.budget,
        arena_limit=machine.free_ram // ARENA_SHARE,
        peaks=Peaks(text=text.peak, transformer=beside + chosen.peak, decode=beside + decode.peak),
        refused=refused,
    )


class _TextPlacement(NamedTuple):
    place: Literal["device", "cpu"]
    weights: int
    peak: int


def _text(networks: Networks, picture: Picture, machine: Machine) -> _TextPlacement:
    """On the device where its layers fit alone; its embedding table stays in RAM, as it is only a look-up."""
    layers = text_bytes(networks.text, networks.text_precision)
    activations = encode_bytes(networks.text, picture.caption_tokens, networks.text_precision)
    if machine.kind != "cpu" and layers + activations <= machine.budget:
        return _TextPlacement("device", layers, layers + activations)
    whole = layers + embedding_bytes(networks.text, networks.text_precision)
    if whole + activations > machine.free_ram:
        raise PlanError(
            f"the text encoder needs {size_text(whole + activations)} of main memory, "
            f"{size_text(machine.free_ram)} are free: close other programs, or choose a smaller file of it"
        )
    return _TextPlacement("cpu", whole, whole + activations)


class _DecodePlacement(NamedTuple):
    peak: int
    offload_transformer: bool
    how: Literal["whole", "strips"]
    budget: int  # of activations


def _decode(chosen: TransformerPlacement, networks: Networks, picture: Picture, machine: Machine) -> _DecodePlacement:
    """Whole beside the transformer, else whole without it, else in strips, which use all memory they are given.

    Strips keep whole feature maps in RAM, so where RAM is the device they save only what convolutions copy.
    """
    config, dtype = networks.autoencoder, DTYPES[networks.autoencoder_precision]
    weights = decoder_bytes(config, networks.autoencoder_precision)
    cells = picture.cells(networks)
    whole = picture.batch * decode_budget_bytes(config, cells, dtype)
    for offload_transformer, loaded in ((False, chosen.loaded), (True, 0)):
        if loaded + weights + whole <= machine.budget:
            return _DecodePlacement(loaded + weights + whole, offload_transformer, "whole", whole)
    maps = picture.batch * decode_peak_bytes(config, cells, dtype) if machine.kind == "cpu" else 0
    attention = max(map(sum, middle_steps(config.decoder_widths[-1], cells[0] * cells[1])))  # never in strips
    least = weights + max(maps, picture.batch * dtype.itemsize * attention)
    if least > machine.budget:
        raise PlanError(
            f"decoding {picture.batch} of {picture.width}x{picture.height} needs {size_text(least)} on the device, "
            f"{size_text(machine.budget)} may be used: free some, or decode on the processor"
        )
    return _DecodePlacement(machine.budget, True, "strips", machine.budget - weights - maps)


def _refusal(
    networks: Networks, picture: Picture, machine: Machine, allowed: Sequence[Precision], refused: Sequence[str]
) -> str:
    """The sentence that says what would be needed."""
    placements = list(_all_placements(networks, picture, machine))
    fitting = [placement for placement in placements if placement.peak <= machine.budget]
    if fitting:  # on the device, but the streamed blocks do not fit into RAM
        least = min(fitting, key=lambda each: each.streamed)
        layer = transformer_bytes(networks.transformer, networks.layers, networks.rest).layer
        needed, found, where = least.streamed * layer, machine.free_ram, "main memory"
    else:
        least = min(placements, key=lambda each: each.peak)
        needed, found, where = least.peak, machine.budget, "main memory" if machine.kind == "cpu" else "the device"
    remedy = "" if allowed or networks.layers in EIGHT_BIT else ", allow int8"
    how = f" with {least.streamed} blocks streamed" if least.streamed else ""
    sentence = (
        f"drawing {picture.batch} of {picture.width}x{picture.height} needs {size_text(needed)} of {where}{how}, "
        f"{size_text(found)} may be used: choose a smaller picture{remedy}, or close other programs"
    )
    return "; ".join((sentence, *refused))


def size_text(size: int) -> str:
    """A size in GB, or in MB where that says more."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB"

"""What a file is, from its header alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ..formats.errors import CheckpointError
from ..formats.files import SHARD, header_of, headers_of
from ..formats.header import Header, TensorEntry
from ..networks import ADD_ON_NETWORKS, DIT, PIPELINE_NETWORKS, AnyNetwork
from ..networks.shapes import count_blocks
from ..networks.signature import first_match
from .foreign_models import find_other, find_relative
from .precision import precision_of
from .release import release_of
from .report import FileReport

Entries = Mapping[str, TensorEntry]
Metadata = Mapping[str, str]


def inspect(path: str | Path) -> FileReport:
    """What a file is. A shard is reported as its whole model if the other shards are there, else by itself."""
    path = Path(path)
    try:
        headers = list(headers_of(path).values())
    except CheckpointError:
        if not SHARD.fullmatch(path.name):
            raise
        headers = [header_of(path)]
    return identify_headers(headers, path.name)


def identify_headers(headers: Sequence[Header], file: str) -> FileReport:
    """What one file, or several shards together, are."""
    entries = {key: entry for header in headers for key, entry in header.tensors.items()}
    metadata = {key: text for header in headers for key, text in header.metadata.items()}
    return replace(
        identify(entries, metadata, file),
        expected_bytes=sum(header.expected_bytes for header in headers),
        found_bytes=sum(header.found_bytes for header in headers),
    )


def identify(entries: Entries, metadata: Metadata, file: str) -> FileReport:
    """What tensors of these names, types and shapes are."""
    precision, n_parameters = precision_of(entries, metadata)
    report = FileReport(file=file, what="", precision=precision, n_parameters=n_parameters)
    relative = find_relative(entries, metadata)
    networks = tuple(
        network
        for network in PIPELINE_NETWORKS
        if network.locate(entries.keys()) and not first_match(entries, network.look_alikes)
    )
    if relative is None and networks:
        return _with_networks(report, networks, entries, metadata)
    model = relative or find_other(entries)
    if model is None:
        first = min(entries, default="nothing")[:80]
        return replace(report, what=f"an unknown model (its {len(entries)} tensors begin with {first})")
    add_ons = tuple(network for network in ADD_ON_NETWORKS if network.locate(entries.keys()))
    if add_ons:
        report = _with_networks(report, add_ons, entries, metadata)
    return replace(report, what=model.what, folder=model.folder, advice=model.advice)


def _with_networks(
    report: FileReport, networks: tuple[AnyNetwork, ...], entries: Entries, metadata: Metadata
) -> FileReport:
    """The report with what is known of the file's networks; details are those of the first."""
    main = networks[0]
    located = main.locate(entries.keys())
    assert located is not None  # the caller has located each of them
    prefix, layout = located
    sizes = {key.removeprefix(prefix): entry.shape for key, entry in entries.items() if key.startswith(prefix)}
    names = [f"a Z-Image {network.name}" for network in networks]
    return replace(
        report,
        what=names[0] if len(names) == 1 else f"an all-in-one checkpoint: {', '.join(names)}",
        networks=networks,
        folder=main.folder if len(networks) == 1 else "checkpoints",
        layout=f"{layout.name}, names begin with {prefix}" if prefix else layout.name,
        release=release_of(sizes, metadata, report.file) if main is DIT else "",
        n_layers=max(count_blocks(sizes, blocks) for blocks in main.block_lists),
        absent_layers="; ".join(filter(None, (_absent_layers(network, entries) for network in networks))),
    )


def _absent_layers(network: AnyNetwork, entries: Entries) -> str:
    """What is to be said of layers a network should have; nothing if they are all there."""
    located = network.locate(entries.keys())
    if network.depth is None or located is None:
        return ""
    prefix, layout = located
    placeholder = torch.empty(0, device="meta")
    depth = network.depth(
        {
            name: entry.shape
            for key, entry in entries.items()
            if key.startswith(prefix)
            for name in layout.to_model({key.removeprefix(prefix): placeholder})
        }
    )
    return "" if depth.found == depth.whole else f"the {network.name} has {depth.describe()}"

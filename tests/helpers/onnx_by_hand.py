"""ONNX files written byte by byte, as the format's protobuf schema has them: no library that makes them is needed."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

FLOAT = 1  # TensorProto.DataType


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def number(place: int, value: int) -> bytes:
    """A field with a whole number."""
    return varint(place << 3) + varint(value)


def field(place: int, content: bytes | str) -> bytes:
    """A field with a text, bytes, or a message."""
    raw = content.encode() if isinstance(content, str) else content
    return varint(place << 3 | 2) + varint(len(raw)) + raw


def tensor(name: str, values: np.ndarray) -> bytes:
    """A TensorProto."""
    dims = b"".join(number(1, side) for side in values.shape)
    return dims + number(2, FLOAT) + field(8, name) + field(9, values.astype("<f4").tobytes())


def typed(name: str, shape: Sequence[int]) -> bytes:
    """A ValueInfoProto."""
    dims = b"".join(field(1, number(1, side)) for side in shape)
    return field(1, name) + field(2, field(1, number(1, FLOAT) + field(2, dims)))


def write_onnx(
    file: Path,
    nodes: Sequence[tuple[str, Sequence[str], str]],
    given: tuple[str, Sequence[int]],
    outputs: Mapping[str, Sequence[int]],
    constants: Mapping[str, np.ndarray],
) -> Path:
    """Nodes are an operator, its inputs and its output."""
    parts = [
        *(field(1, b"".join(field(1, each) for each in ins) + field(2, out) + field(4, op)) for op, ins, out in nodes),
        field(2, "by hand"),
        *(field(5, tensor(name, values)) for name, values in constants.items()),
        field(11, typed(*given)),
        *(field(12, typed(name, shape)) for name, shape in outputs.items()),
    ]
    opset = field(8, field(1, "") + number(2, 13))
    file.write_bytes(number(1, 8) + field(7, b"".join(parts)) + opset)
    return file


def colour_classifier(file: Path, weight: np.ndarray, bias: np.ndarray, side: int = 16) -> Path:
    """Logits are the mean colour (0 to 1) times `weight` (3 k), and `bias` (k)."""
    return write_onnx(
        file,
        [
            ("GlobalAveragePool", ["pixels"], "pooled"),
            ("Flatten", ["pooled"], "colour"),
            ("MatMul", ["colour", "weight"], "product"),
            ("Add", ["product", "bias"], "logits"),
        ],
        ("pixels", (1, 3, side, side)),
        {"logits": (1, len(bias))},
        {"weight": weight, "bias": bias},
    )


def told_faces(file: Path, side: int, found: Mapping[int, Sequence[tuple[int, int, float, Sequence[float]]]]) -> Path:
    """A YuNet that says the same of every picture: by stride rows, columns, scores and boxes as it tells them."""
    constants, outputs, nodes = dict[str, np.ndarray](), dict[str, Sequence[int]](), []
    for stride in (8, 16, 32):
        across = side // stride
        score, box = np.zeros((1, across**2, 1)), np.zeros((1, across**2, 4))
        for row, column, sure, told in found.get(stride, ()):
            score[0, row * across + column], box[0, row * across + column] = sure, told
        for name, values in ((f"cls_{stride}", score), (f"obj_{stride}", score), (f"bbox_{stride}", box)):
            constants[f"{name} told"], outputs[name] = values, values.shape
            nodes.append(("Identity", [f"{name} told"], name))
    return write_onnx(file, nodes, ("input", (1, 3, side, side)), outputs, constants)

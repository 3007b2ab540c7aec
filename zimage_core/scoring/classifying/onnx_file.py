"""An ONNX file of the user's, run by onnxruntime on the CPU; nothing is downloaded."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..model_folder import ModelFolderError, first_line

PACKAGE = "onnxruntime"


def onnx_session(file: str | Path, threads: int = 2) -> Any:
    """onnxruntime's session. Raises `ModelFolderError` with one sentence where there is none."""
    path = Path(file).expanduser()
    if not path.is_file():
        raise ModelFolderError(f"there is no file {path}; give one that ends in .onnx")
    if find_spec(PACKAGE) is None:
        raise ModelFolderError(
            f'{path.name} needs {PACKAGE}, which is not installed; install it with: "{sys.executable}" -m pip '
            f"install {PACKAGE}"
        )
    import onnxruntime  # pyright: ignore[reportMissingTypeStubs]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 4
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors have no common class but this
        raise ModelFolderError(f"{path} cannot be read as ONNX: {first_line(error)}") from error


def onnxruntime_version() -> str:
    """As it stands beside numbers."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"{PACKAGE} {version(PACKAGE)}"
    except PackageNotFoundError:
        return PACKAGE

"""A network as an ONNX file. Torch is imported late: `pvtsearch export` answers at once where it writes no file."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pvtsearch.config import ImageSize, ModelConfig, NetworkTask, PVTConfig, check_choice
from pvtsearch.errors import InputError
from pvtsearch.files import appearing

if TYPE_CHECKING:
    from torch import nn

ONNX_PACKAGES = ("onnx", "onnxscript")


def _check_packages() -> None:
    missing = [name for name in ONNX_PACKAGES if find_spec(name) is None]
    if missing:
        raise InputError(f"writing ONNX needs {' and '.join(missing)}: pip install {' '.join(missing)}")


def output_names(module: nn.Module, task: NetworkTask) -> list[str]:
    """`scores`, or `stage_1_stride_4`, `stage_2_stride_8` and so on for the maps of a backbone."""
    if task == "classification":
        return ["scores"]
    strides: Any = module.strides
    return [f"stage_{index + 1}_stride_{stride}" for index, stride in enumerate(strides)]


def write_onnx(
    config: ModelConfig,
    path: str | Path,
    *,
    image_size: ImageSize,
    batch_size: int = 1,
    task: NetworkTask = "classification",
    weights: Mapping[str, Any] | None = None,
) -> None:
    """Write the network for one input shape (batch_size, in_chans, height, width), in evaluation mode.

    weights: a state dict of any known layout; fresh weights without it. The file appears whole or not at all. Raises
    `InputError` where onnx or onnxscript are missing, `WeightsError` and `ConfigError` as building does.
    """
    _check_packages()
    check_choice("task", task, get_args(NetworkTask))
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}")
    if path.is_dir():
        raise InputError(f"{path}: is a folder, a file is needed")
    if isinstance(config, PVTConfig):
        config.grids(image_size)
    import torch

    from pvtsearch.models.baselines import build_model
    from pvtsearch.models.weights import load_weights

    module = build_model(config, task=task).eval()
    if weights is not None:
        load_weights(module, weights)
    images = torch.zeros(batch_size, config.in_chans, *image_size)
    with appearing(path) as temporary:
        torch.onnx.export(
            module,
            (images,),
            str(temporary),
            input_names=["images"],
            output_names=output_names(module, task),
            dynamo=True,
            external_data=False,
            verbose=False,
        )

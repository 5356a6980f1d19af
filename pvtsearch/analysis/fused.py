"""What fused attention returns beside its output, kernel by kernel. Letters as in `memory`.

The CPU has one kernel. On a CUDA device torch takes FlashAttention for half types and memory-efficient attention for
float32. Shapes are those of the operators' meta kernels, against which tests hold them.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, assert_never

from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.analysis.shapes import StageShape
from pvtsearch.errors import ConfigError
from pvtsearch.geometry import Number

FusedKernel: TypeAlias = Literal["cpu", "flash", "efficient"]

FLOAT32_BYTES = 4  # every kernel keeps the logsumexp of queries in float32
RANDOM_BYTES = 24  # flash: two words of the random state, and one that is not used
EFFICIENT_QUERIES = 32  # memory-efficient: rounds the number of queries up to a multiple
HEAD_DIM_MULTIPLES: dict[FusedKernel, int] = {"cpu": 1, "flash": 8, "efficient": 4}
LARGEST_FLASH_HEAD_DIM = 256


def fused_kernel(setting: MemorySetting) -> FusedKernel:
    """The kernel that torch takes."""
    if setting.backend == "cpu":
        return "cpu"
    return "efficient" if setting.dtype == "float32" else "flash"


def returned_bytes(shape: StageShape, *, tokens: Number, setting: MemorySetting) -> Number:
    """In inference; raises `ConfigError` where torch would take another kernel, or pad."""
    kernel = known_kernel(shape, setting)
    match kernel:
        case "cpu" | "flash":
            return kept_bytes(shape, tokens=tokens, setting=setting)
        case "efficient":
            return 0 * tokens
        case _:
            assert_never(kernel)


def kept_bytes(shape: StageShape, *, tokens: Number, setting: MemorySetting) -> Number:
    """In training, kept for the backward pass; raises as `returned_bytes`."""
    rows = setting.batch_size * shape.num_heads * FLOAT32_BYTES
    kernel = known_kernel(shape, setting)
    match kernel:
        case "cpu":
            return rows * tokens
        case "flash":
            return rows * tokens + RANDOM_BYTES
        case "efficient":
            return rows * (-(-tokens // EFFICIENT_QUERIES) * EFFICIENT_QUERIES)
        case _:
            assert_never(kernel)


def known_kernel(shape: StageShape, setting: MemorySetting) -> FusedKernel:
    """The kernel for a stage's heads."""
    kernel = fused_kernel(setting)
    multiple = HEAD_DIM_MULTIPLES[kernel]
    head_dim = shape.embed_dim // shape.num_heads
    wrong = (head_dim % multiple > 0) | ((head_dim > LARGEST_FLASH_HEAD_DIM) & (kernel == "flash"))
    if wrong if isinstance(wrong, bool) else wrong.any():
        largest = f" up to {LARGEST_FLASH_HEAD_DIM}" if kernel == "flash" else ""
        raise ConfigError(
            f"backend cuda: fused attention in {setting.dtype} is known for head dims that are multiples of {multiple}"
            f"{largest}, got {head_dim if isinstance(wrong, bool) else sorted(set(head_dim[wrong].tolist()))}: "
            "give attention explicit"
        )
    return kernel

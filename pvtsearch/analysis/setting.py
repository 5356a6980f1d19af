"""What peak memory is computed for, as a value; and what else can be chosen where a network is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from pvtsearch.config import AttentionKernel, check_choice, check_int
from pvtsearch.errors import ConfigError
from pvtsearch.geometry import Number

Dtype: TypeAlias = Literal["float32", "float16", "bfloat16"]
Autocast: TypeAlias = Literal["none", "bfloat16", "float16"]
Backend: TypeAlias = Literal["cpu", "cuda"]
Optimizer: TypeAlias = Literal["none", "sgd", "adamw"]
Mode: TypeAlias = Literal["inference", "training"]
Execution: TypeAlias = Literal["eager", "compiled", "graph"]
MemoryFormat: TypeAlias = Literal["contiguous", "channels_last"]

ELEMENT_BYTES: dict[Dtype, int] = {"float32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True, kw_only=True)
class MemorySetting:
    """The circumstances of a pass: how many images, of which type, how attention is computed, and what trains.

    autocast: the lower type of `torch.autocast` around forward pass and loss, parameters and images being float32.
    optimizer: `sgd` has momentum. Both mean nothing to a forward pass in inference mode. backend: whose kernels
    compute. compute_capability: the major one of a CUDA device.
    """

    batch_size: int = 1
    dtype: Dtype = "float32"
    attention: AttentionKernel = "fused"
    autocast: Autocast = "none"
    optimizer: Optimizer = "adamw"
    backend: Backend = "cpu"
    compute_capability: int = 9

    def __post_init__(self) -> None:
        check_int("batch_size", self.batch_size, minimum=1)
        check_choice("dtype", self.dtype, get_args(Dtype))
        check_choice("attention", self.attention, get_args(AttentionKernel))
        check_choice("autocast", self.autocast, get_args(Autocast))
        if self.autocast != "none" and self.dtype != "float32":
            raise ConfigError(f"autocast needs dtype=float32, got dtype={self.dtype}, autocast={self.autocast}")
        check_choice("backend", self.backend, get_args(Backend))
        if self.autocast != "none" and self.backend == "cuda":
            raise ConfigError(f"autocast is known for backend=cpu only, got autocast={self.autocast}, backend=cuda")
        check_int("compute_capability", self.compute_capability, minimum=7)
        check_choice("optimizer", self.optimizer, get_args(Optimizer))

    @property
    def element_bytes(self) -> int:
        """Bytes of one element of a parameter, its gradient, an image; without autocast, of an activation too."""
        return ELEMENT_BYTES[self.dtype]

    @property
    def product_bytes(self) -> int:
        """Bytes of one element of what linear layers, convolutions and attention read and write."""
        return self.element_bytes if self.autocast == "none" else ELEMENT_BYTES[self.autocast]

    @property
    def statistic_bytes(self) -> int:
        """Bytes of one mean or deviation of a norm: as its parameters on the CPU, float32 in CUDA's kernels."""
        return self.element_bytes if self.backend == "cpu" else ELEMENT_BYTES["float32"]

    @property
    def workspace_bytes(self) -> int:
        """What cuBLAS holds from its first call on: torch gives it this much, by compute capability."""
        if self.backend == "cpu":
            return 0
        return 33_554_432 if self.compute_capability >= 9 else 8_519_680

    @property
    def casts(self) -> int:
        """1 under autocast, where layers copy their parameters to a lower type; 0 without."""
        return int(self.autocast != "none")

    def batch_bytes(self, elements: Number, width: int | None = None) -> Number:
        """Bytes of a tensor with so many elements per image. width: bytes of one, by default those of a parameter."""
        return self.batch_size * elements * (self.element_bytes if width is None else width)

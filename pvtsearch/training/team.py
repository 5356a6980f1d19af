"""The processes that train one network together, as torchrun starts them; most often there is one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from pvtsearch.analysis.latency import torch_device
from pvtsearch.training.batches import Share


@dataclass(frozen=True)
class Team:
    """This process's place among all, and the device that it trains on."""

    device: torch.device
    share: Share = field(default_factory=Share)

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes."""
        return self.share.rank == 0

    def joined(self, network: nn.Module) -> nn.Module:
        """A network whose gradients are the mean over the team's; a team of one trains it as it is."""
        if self.share.size == 1:
            return network
        return DistributedDataParallel(network, device_ids=[self.device] if self.device.type == "cuda" else None)

    def total(self, counts: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.share.size > 1:
            distributed.all_reduce(counts)
        return counts


def leads() -> bool:
    """Whether this process is the first of those that torchrun started, or alone."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def team(device: str) -> Iterator[Team]:
    """The team that torchrun's environment tells of, each process on a device of its own; else this process alone.

    device: cpu or cuda; among several processes cuda is the one of this process's local rank.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1 or "RANK" not in os.environ:
        yield Team(torch_device(device))
        return
    name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if device == "cuda" else device
    here = torch_device(name)
    if here.type == "cuda":
        torch.cuda.set_device(here)
    distributed.init_process_group("nccl" if here.type == "cuda" else "gloo")
    try:
        yield Team(here, Share(distributed.get_rank(), size))
    finally:
        distributed.destroy_process_group()

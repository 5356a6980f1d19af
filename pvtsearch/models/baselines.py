"""ResNet (arXiv 1512.03385) and ResNeXt (arXiv 1611.05431) by torchvision, and any network by its configuration."""

from __future__ import annotations

from typing import TypeAlias, assert_never

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from pvtsearch.config import (
    AttentionKernel,
    ModelConfig,
    NetworkTask,
    PVTConfig,
    ResNetConfig,
    Task,
    check_pyramid,
    check_task,
    is_dense,
)
from pvtsearch.heads import DENSE_HEADS
from pvtsearch.models.dense import Dense, build_dense
from pvtsearch.models.pvt import PVT, PVTBackbone, build_pvt

RESNET_STRIDES = (4, 8, 16, 32)


class ResNetBackbone(nn.Module):
    """The four stages of a ResNet, with torchvision's names for every part; no pooling, no classifier.

    channels, strides: of every stage's map; strides in pixels.
    """

    def __init__(self, network: ResNet, config: ResNetConfig) -> None:
        super().__init__()
        self.config = config
        self.channels = [base * config.expansion for base in (64, 128, 256, 512)]
        self.strides = list(RESNET_STRIDES)
        self.conv1 = network.conv1
        self.bn1 = network.bn1
        self.relu = network.relu
        self.maxpool = network.maxpool
        self.layer1 = network.layer1
        self.layer2 = network.layer2
        self.layer3 = network.layer3
        self.layer4 = network.layer4

    def forward(self, images: Tensor) -> list[Tensor]:
        """B in_chans h w -> the maps C2 to C5, each B C H W."""
        c2 = self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(images)))))
        c3 = self.layer2(c2)
        c4 = self.layer3(c3)
        return [c2, c3, c4, self.layer4(c4)]


Network: TypeAlias = PVT | ResNet | ResNetBackbone | Dense


def _torchvision_resnet(config: ResNetConfig) -> ResNet:
    match config.block:
        case "basic":
            block: type[BasicBlock | Bottleneck] = BasicBlock
        case "bottleneck":
            block = Bottleneck
        case _:
            assert_never(config.block)
    network = ResNet(
        block,
        list(config.depths),
        num_classes=config.num_classes or 1,
        groups=config.groups,
        width_per_group=config.width_per_group,
    )
    if config.in_chans != 3:
        network.conv1 = nn.Conv2d(config.in_chans, 64, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
    if config.num_classes == 0:
        network.fc = nn.Identity()
    return network


def build_resnet(config: ResNetConfig, *, task: NetworkTask = "classification") -> ResNet | ResNetBackbone:
    """ResNet of torchvision: class scores (pooled features where `num_classes` is 0), or the maps C2 to C5."""
    network = _torchvision_resnet(config)
    match task:
        case "classification":
            return network
        case "backbone":
            return ResNetBackbone(network, config)
        case _:
            assert_never(task)


def build_backbone(config: ModelConfig, *, attention: AttentionKernel = "fused") -> PVTBackbone | ResNetBackbone:
    """The maps of any configuration's stages."""
    if isinstance(config, PVTConfig):
        return build_pvt(config, task="backbone", attention=attention)
    return ResNetBackbone(_torchvision_resnet(config), config)


def build_model(config: ModelConfig, *, task: Task = "classification", attention: AttentionKernel = "fused") -> Network:
    """The network of any configuration; `attention` means nothing to a ResNet's own layers.

    Raises `InputError` where a task's parts come from an extra that is not installed.
    """
    check_task(task)
    if is_dense(task):
        if isinstance(config, PVTConfig):
            check_pyramid(task, len(config.stages))
        backbone = build_backbone(config, attention=attention)
        return build_dense(backbone, backbone.channels, DENSE_HEADS[task], attention=attention)
    if isinstance(config, PVTConfig):
        return build_pvt(config, task=task, attention=attention)
    return build_resnet(config, task=task)

"""From pictures to what a network sees, by torchvision's transforms; every draw is torch's, so a seed decides it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor
from torchvision.transforms import v2

from pvtsearch.training.recipe import Recipe

Transform: TypeAlias = Callable[[Tensor], Tensor]  # uint8 3 h w -> float32 3 H H
Mix: TypeAlias = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # images and labels of a batch -> both, mixed

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as the published weights expect
CENTRE = 0.875  # of a larger image's side, what is looked at


def training_transform(recipe: Recipe, side: int) -> Transform:
    """A crop of random place and size, perhaps mirrored; RandAugment and erasing as far as the recipe has them."""
    steps: list[torch.nn.Module] = [
        v2.RandomResizedCrop(side, scale=(recipe.smallest_crop, 1.0), antialias=True),
        v2.RandomHorizontalFlip(),
    ]
    if recipe.randaugment:
        steps.append(v2.RandAugment(magnitude=recipe.randaugment))
    steps += _normalised()
    if recipe.erasing:
        steps.append(v2.RandomErasing(p=recipe.erasing))
    return v2.Compose(steps)  # type: ignore[no-any-return]


def evaluation_transform(side: int) -> Transform:
    """An image of that side as it is; of any other the middle, scaled."""
    normalised = v2.Compose(_normalised())
    scaled = v2.Compose([v2.Resize(round(side / CENTRE), antialias=True), v2.CenterCrop(side), *_normalised()])

    def transform(image: Tensor) -> Tensor:
        fits = image.shape[-2:] == (side, side)
        seen: Tensor = normalised(image) if fits else scaled(image)
        return seen

    return transform


def mixing(recipe: Recipe, classes: int) -> Mix:
    """Mixup or cutmix, by the recipe's chance; else the batch as it is. Mixed labels are shares, (B, classes)."""
    kinds = [v2.MixUp(alpha=recipe.mixup_alpha, num_classes=classes)]
    kinds.append(v2.CutMix(alpha=recipe.cutmix_alpha, num_classes=classes))

    def mix(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        if torch.rand(()).item() >= recipe.mix:
            return images, labels
        mixed: tuple[Tensor, Tensor] = kinds[int(torch.randint(2, ()).item())](images, labels)
        return mixed

    return mix


def _normalised() -> list[torch.nn.Module]:
    return [v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, DEVIATION)]

"""How networks are trained: the recipe of PVT, and what of it is left in a short run.

PVT (arXiv 2102.12122, section 5.1) trains 300 epochs with AdamW, a batch of 1,024, a learning rate of 1e-3 that falls
by a cosine, weight decay 0.05 and the augmentation of DeiT (arXiv 2012.12877, table 9).
"""

from __future__ import annotations

from dataclasses import dataclass

from pvtsearch.errors import InputError

FULL_EPOCHS = 100  # from here on regularisation is DeiT's; below, in proportion
MOST_EPOCHS = 10_000
FULL_RATE_BATCH = 64  # images of a step, from which on the learning rate is PVT's


@dataclass(frozen=True)
class Recipe:
    """A training, but for network, data and seed. Shares and rates are of 1; `epochs` may pass for a long run's start.

    mix: chance of mixing a batch, by mixup or cutmix alike. randaugment: magnitude of 0 to 30, 0 leaves it out.
    smallest_crop: of an image's area. erasing: chance of a random rectangle.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    warmup_epochs: float
    drop_path_rate: float
    mix: float
    randaugment: int
    erasing: float
    smallest_crop: float
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    mixup_alpha: float = 0.8
    cutmix_alpha: float = 1.0
    clip_norm: float = 1.0
    final_learning_rate: float = 1e-5

    def __post_init__(self) -> None:
        if not 1 <= self.epochs <= MOST_EPOCHS:
            raise InputError(f"epochs must be 1 to {MOST_EPOCHS:,}, got {self.epochs}")
        if self.batch_size < 2:
            raise InputError(f"batch size must be at least 2 in training, got {self.batch_size}")
        if not 0 < self.learning_rate < 1:
            raise InputError(f"learning rate must be above 0 and below 1, got {self.learning_rate}")


def recipe_for(epochs: int, batch_size: int, learning_rate: float | None = None) -> Recipe:
    """PVT's recipe for so many epochs.

    What fights overfitting in long runs only slows short ones: below 100 epochs, mixing, RandAugment, erasing, cropping
    and drop path are taken in proportion. The learning rate is PVT's 1e-3; for batches below 64 images it falls with
    their square root, as it should for Adam (Malladi et al. 2022, arXiv 2205.10287).
    """
    strength = min(1.0, epochs / FULL_EPOCHS)
    return Recipe(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=1e-3 * min(1.0, batch_size / FULL_RATE_BATCH) ** 0.5 if learning_rate is None else learning_rate,
        warmup_epochs=min(5.0, 0.1 * epochs),
        drop_path_rate=0.1 * strength,
        mix=strength,
        randaugment=round(9 * strength),
        erasing=0.25 * strength,
        smallest_crop=1 - (1 - 0.08) * strength**0.5,
    )

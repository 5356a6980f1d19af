"""Laws of formula-driven images: bytes by the seed alone, classes that differ, instances that are alike."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from pvtsearch.training.fractals import drawn, pictures
from pvtsearch.training.systems import FEWEST_MAPS, LARGEST_SCALE, MOST_MAPS, instances, system

DIGEST = """
import hashlib, sys, torch
torch.set_num_threads(int(sys.argv[1]))
from pvtsearch.training.fractals import pictures
images, _ = pictures(seed=3, classes=3, count=5, split=0, side=24)
print(hashlib.sha256(images.numpy().tobytes()).hexdigest())
"""


def test_the_same_seed_is_the_same_bytes_in_every_process_and_number_of_threads() -> None:
    """Another seed is another set."""
    here = hashlib.sha256(pictures(seed=3, classes=3, count=5, split=0, side=24)[0].numpy().tobytes()).hexdigest()
    for threads in ("1", "2"):
        told = subprocess.run([sys.executable, "-c", DIGEST, threads], check=True, capture_output=True, text=True)
        assert told.stdout.strip() == here
    other = pictures(seed=4, classes=3, count=5, split=0, side=24)[0]
    assert hashlib.sha256(other.numpy().tobytes()).hexdigest() != here


@given(seed=st.integers(0, 2**31), number=st.integers(0, 10**6))
def test_systems_contract(seed: int, number: int) -> None:
    """Every map shrinks in both directions, jittered or not, so that there is a picture; scalings have their sum."""
    found = system(seed, number)
    count = len(found.flips)
    assert FEWEST_MAPS <= count <= MOST_MAPS
    assert (found.scales[:, 1] <= found.scales[:, 0] + 1e-12).all()
    assert ((found.scales >= 0) & (found.scales <= LARGEST_SCALE)).all()
    total = found.scales[:, 0].sum() + 2 * found.scales[:, 1].sum()
    assert (5 + count) / 2 - 3 * count * (1 - LARGEST_SCALE) - 1e-9 <= total <= (6 + count) / 2 + 1e-9
    rows = instances(seed, number, 0, 3).maps[:, :, :4].reshape(-1, 2, 2)
    assert (np.linalg.norm(rows, ord=2, axis=(1, 2)) <= LARGEST_SCALE + 1e-5).all()


def test_more_instances_begin_with_the_same_ones() -> None:
    """And those of another split are others."""
    few, more = instances(0, 5, 0, 4), instances(0, 5, 0, 9)
    assert (more.maps[:4] == few.maps).all()
    assert (more.colours[:4] == few.colours).all()
    assert not np.isin(instances(0, 5, 1, 9).maps, more.maps[more.maps != 0]).any(axis=(1, 2)).all()


def test_instances_are_nearer_to_their_class_than_to_others() -> None:
    """A nearest mean of shapes, colours left out, finds most classes of pictures that it has not seen."""
    train, labels = pictures(seed=0, classes=8, count=12, split=0, side=32)
    held_out, wanted = pictures(seed=0, classes=8, count=6, split=1, side=32)

    def shapes(images: torch.Tensor) -> torch.Tensor:
        grey = images.float().mean(dim=1).flatten(1)
        return (grey - grey.mean(dim=1, keepdim=True)) / grey.std(dim=1, keepdim=True)

    means = torch.stack([shapes(train)[labels == number].mean(dim=0) for number in range(8)])
    found = (shapes(held_out) @ means.T).argmax(dim=1)
    assert (found == wanted).float().mean() > 0.7  # chance is 1 of 8


def test_a_picture_fills_its_frame_and_shows_something() -> None:
    """Each reaches the margin in its longer direction; background and picture have different colours."""
    images, labels = pictures(seed=1, classes=5, count=3, split=0, side=40)
    assert images.shape == (15, 3, 40, 40)
    assert images.dtype == torch.uint8
    assert labels.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3 + [4] * 3
    for image in images:
        differs = (image != image[:, :1, :1]).any(dim=0)
        rows, columns = differs.any(dim=1).nonzero(), differs.any(dim=0).nonzero()
        assert max(int(rows.max() - rows.min()), int(columns.max() - columns.min())) >= 34
        assert 0.005 < differs.float().mean() < 0.95


def test_nothing_drawn_is_an_empty_batch() -> None:
    """No instances, no pictures."""
    assert drawn(instances(0, 0, 0, 0), 16).shape == (0, 3, 16, 16)

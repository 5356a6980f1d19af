"""Laws of data by name: folders, data sets of torchvision, formulas; what cannot be is refused in a line."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import torch
from PIL import Image

from pvtsearch.errors import InputError
from pvtsearch.training.sources import open_data


def write_images(folder: Path, classes: dict[str, int], side: int = 9) -> None:
    """A folder of so many images of each class, all of one colour each."""
    for place, (name, count) in enumerate(classes.items()):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (side, side + 2), (40 * place, number, 7)).save(folder / name / f"{number:03}.png")


def test_a_folder_without_a_split_holds_out_a_fifth_of_each_class(tmp_path: Path) -> None:
    """Always the same ones, and none that is trained on."""
    write_images(tmp_path / "set", {"cat": 10, "dog": 5})
    data = open_data(str(tmp_path / "set"), 8)
    assert (data.classes, len(data.train), len(data.held_out)) == (2, 12, 3)
    train, held_out = (
        {tuple(image[:, 0, 0].tolist()) for image, _ in _all(part)} for part in (data.train, data.held_out)
    )
    assert not train & held_out
    assert sorted(label for _, label in _all(data.held_out)) == [0, 0, 1]
    assert open_data(str(tmp_path / "set"), 8).digest == data.digest


def test_a_folder_with_train_and_val_is_taken_as_it_is(tmp_path: Path) -> None:
    """And another image is another set."""
    for split, count in (("train", 4), ("val", 2)):
        write_images(tmp_path / split, {"cat": count, "dog": count})
    data = open_data(str(tmp_path), 8)
    assert (len(data.train), len(data.held_out)) == (8, 4)
    image, label = data.train[7]
    assert (image.shape, image.dtype, label) == ((3, 11, 9), torch.uint8, 1)
    (tmp_path / "train" / "cat" / "000.png").unlink()
    assert open_data(str(tmp_path), 8).digest != data.digest


@pytest.mark.parametrize("split", ["train", "val"])
def test_half_a_split_is_no_set_of_classes(split: str, tmp_path: Path) -> None:
    """train/ without val/, whatever stands beside it, is refused: names of splits are no classes."""
    for folder in (split, "test"):
        write_images(tmp_path / folder, {"cat": 2, "dog": 2})
    with pytest.raises(InputError, match=f"has {split}/ alone"):
        open_data(str(tmp_path), 8)


def test_a_data_set_of_torchvision_is_read_where_it_lies(tmp_path: Path) -> None:
    """MNIST's four files, grey, become RGB; nothing is downloaded."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for split, count in (("train", 6), ("t10k", 4)):
        images = bytes(range(count)) * 16
        (raw / f"{split}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 2051, count, 4, 4) + images)
        (raw / f"{split}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 2049, count) + bytes([1, 0] * (count // 2)))
    data = open_data(f"torchvision:MNIST:{tmp_path}", 4)
    assert (data.classes, len(data.train), len(data.held_out)) == (10, 6, 4)
    image, label = data.train[0]
    assert (image.shape, label) == ((3, 4, 4), 1)
    with pytest.raises(InputError, match="nothing is downloaded"):
        open_data(f"torchvision:CIFAR10:{tmp_path}", 32)


def test_formulas_by_their_numbers() -> None:
    """Of classes, images and seed; each held in memory at the side asked for."""
    data = open_data("fractals:classes=3,train=4,held_out=2,seed=5", 16)
    assert (data.classes, len(data.train), len(data.held_out), data.side) == (3, 12, 6, 16)
    assert data.train[0][0].shape == (3, 16, 16)
    assert open_data("fractals:seed=5,held_out=2,train=4,classes=3", 16).digest == data.digest
    assert open_data("fractals:classes=3,train=4,held_out=2,seed=6", 16).digest != data.digest


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "no such folder; it must be fractals, a folder of images, or torchvision:NAME:FOLDER"),
        ("fractals:classes=1", "at least 2 classes"),
        ("fractals:train=0", "a picture of each"),
        ("fractals:colour=3", "'colour=3' must be one of classes=N, train=N, held_out=N, seed=N"),
        ("fractals:classes=-2", "'classes=-2' must be one of"),
        ("fractals:classes=9999999", "GiB, at most 32 are held in memory"),
        ("torchvision:Nothing:data", "must be torchvision:NAME:FOLDER"),
        ("torchvision:CIFAR10", "must be torchvision:NAME:FOLDER"),
        ("torchvision:FakeData:data", "no split of its own"),
    ],
)
def test_what_is_no_data_is_refused(name: str, message: str) -> None:
    """In one line that says what would be right."""
    with pytest.raises(InputError, match=message.replace("(", r"\(")) as caught:
        open_data(name, 16)
    assert "\n" not in str(caught.value)


def test_folders_that_hold_no_images_are_refused(tmp_path: Path) -> None:
    """Without classes, without images, with one class, with classes that differ between splits."""
    for empty in ("a", "b/cat"):
        (tmp_path / empty).mkdir(parents=True)
    write_images(tmp_path / "one", {"cat": 6})
    write_images(tmp_path / "few", {"cat": 2, "dog": 2})
    write_images(tmp_path / "differs" / "train", {"cat": 2, "dog": 2})
    write_images(tmp_path / "differs" / "val", {"cat": 2, "fox": 2})
    for name, message in (
        ("a", "find any class"),
        ("b", "Found no valid file"),
        ("one", "at least 2 classes"),
        ("few", "no pictures held out"),
        ("differs", "other classes"),
    ):
        with pytest.raises(InputError, match=message):
            open_data(str(tmp_path / name), 8)


def _all(part: object) -> list[tuple[torch.Tensor, int]]:
    return [part[number] for number in range(len(part))]  # type: ignore[arg-type, index]

"""Everything that reads what others wrote, and hostile content for it. Shared by `test_hostile.py` and `fuzz/`.

A parser gets bytes and an empty folder, writes the bytes where the product would find them, and reads them. The law is
`verdict`'s: a value comes out, or one of pvtsearch's errors, in one printable line; nothing else, and no file is left.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any
from unittest.mock import patch

from synthetic_device import calibrated
from test_device_records import found as measurements

from pvtsearch.accuracy.tables import load_table
from pvtsearch.analysis.calibration_document import read_calibration
from pvtsearch.analysis.device_records import add_measurements, read_devices
from pvtsearch.analysis.recorded import recorded
from pvtsearch.cli import values
from pvtsearch.config import PVTConfig, StageConfig
from pvtsearch.cost import Budget
from pvtsearch.errors import PvtsearchError, StudyError
from pvtsearch.report.files import write_outputs
from pvtsearch.report.recheck import recheck
from pvtsearch.report.stored import read_stored
from pvtsearch.search import storages
from pvtsearch.search.run import run_search
from pvtsearch.serialize import dump_config, load_config
from pvtsearch.serialize_space import load_space, space_folder

SECRET = "s3cr3t-Planted"  # noqa: S105  (it must never be seen)
SMALL = PVTConfig(name="small", stages=(StageConfig(4, 8, 1, 1, 1),), image_size=8, num_classes=3)

Parser = Callable[[bytes, Path], object]


def verdict(parse: Parser, content: bytes, folder: Path) -> str:
    """`value` or `refused`; raises whatever else the parser raises, and `AssertionError` for a file left behind."""
    before = set(folder.rglob("*"))
    try:
        parse(content, folder)
    except PvtsearchError as error:
        line = str(error)
        assert "\n" not in line, f"not one line: {line!r}"
        return "refused"
    finally:
        for path in sorted(set(folder.rglob("*")) - before - given(folder), reverse=True):
            raise AssertionError(f"left behind: {path}")
    return "value"


def given(folder: Path) -> set[Path]:
    """The files that hold what was given, and the folders on the way to them."""
    found = {path for name in GIVEN for path in folder.rglob(name)}
    return found | {parent for path in found for parent in path.parents}


GIVEN = ("given.*", "summary.json", "front.csv", "trials.csv", "result.json", "*.yaml", "*.png")


def _in_file(name: str, read: Callable[[Path], object]) -> Parser:
    """A parser of a file of that name."""

    def parse(content: bytes, folder: Path) -> object:
        path = folder / name
        path.write_bytes(content)
        return read(path)

    return parse


def _of_text(read: Callable[[str], object]) -> Parser:
    """A parser of an argument of the command line."""
    return lambda content, _folder: read(content.decode("utf-8", "surrogateescape"))


def _configuration(path: Path) -> object:
    config = load_config(path)
    assert isinstance(config, PVTConfig)
    return dump_config(config)


def _devices(path: Path) -> object:
    devices = read_devices(path.parent)
    return recorded(SMALL, (8, 9), "classification", devices)


def _records(content: bytes, folder: Path) -> object:
    (folder / "given.json").write_bytes(SEEDS["circumstances of a device"])
    (folder / "given.csv").write_bytes(content)
    return _devices(folder / "given.csv")


def _circumstances(content: bytes, folder: Path) -> object:
    (folder / "given.csv").write_bytes(SEEDS["records of a device"])
    (folder / "given.json").write_bytes(content)
    return _devices(folder / "given.csv")


def _front_files(folder: Path) -> None:
    (folder / "front").mkdir(exist_ok=True)
    for name, content in FRONT.items():
        (folder / "front" / name).write_bytes(content)


def _summary(content: bytes, folder: Path) -> object:
    _front_files(folder)
    (folder / "front.csv").write_bytes(SEEDS["front of a search"])
    (folder / "summary.json").write_bytes(content)
    return recheck(folder)


def _front(content: bytes, folder: Path) -> object:
    _front_files(folder)
    (folder / "summary.json").write_bytes(SEEDS["summary of a search"])
    (folder / "front.csv").write_bytes(content)
    return recheck(folder)


def _result(content: bytes, folder: Path) -> object:
    for name in ("front.csv", "trials.csv"):
        (folder / name).write_bytes(SEEDS["front of a search"])
    (folder / "result.json").write_bytes(content)
    return read_stored(folder)


def _trials(content: bytes, folder: Path) -> object:
    (folder / "result.json").write_bytes(SEEDS["result of a search"])
    for name in ("front.csv", "trials.csv"):
        (folder / name).write_bytes(content)
    return read_stored(folder)


def _calibration(path: Path) -> object:
    found = read_calibration(path)
    return found.device_name, found.range_ns, found.references_ns


def _weights(path: Path) -> object:
    from pvtsearch.models.pvt import build_pvt
    from pvtsearch.models.weights import load_weights, read_checkpoint

    return load_weights(build_pvt(SMALL), read_checkpoint(path))


def _checkpoint(path: Path) -> object:
    from pvtsearch.training.checkpoints import read_checkpoint

    return read_checkpoint(path, "digest")


def _outcome(path: Path) -> object:
    from pvtsearch.training.ledger import read_outcome

    return read_outcome(path).error_percent


def _picture(content: bytes, folder: Path) -> object:
    from PIL import Image

    from pvtsearch.training.sources import open_data

    for place in ("train/a", "train/b", "val/a", "val/b"):
        (folder / place).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(folder / place / "0.png")
    (folder / "train" / "a" / "0.png").write_bytes(content)
    return open_data(str(folder), 8).train[0]


def _url(text: str) -> object:
    """A URL of a storage on this machine, where none answers, with a password planted where passwords are."""
    url = f"postgresql+psycopg://{text[:9]}:{SECRET}@127.0.0.1:1/{text[9:].replace('@', '')}?password={SECRET}"
    try:
        with patch.object(storages, "OPENING_SECONDS", 0.0):  # no server comes up there
            return storages.open_storage(url)
    except StudyError as error:
        if SECRET in str(error):
            raise RuntimeError(f"the password of {url!r} is in {error}") from error
        raise


PARSERS: dict[str, Parser] = {
    "configuration": _in_file("given.yaml", _configuration),
    "space": _in_file("given.yaml", load_space),
    "table, JSON": _in_file("given.json", load_table),
    "table, CSV": _in_file("given.csv", load_table),
    "calibration": _in_file("given.json", _calibration),
    "records of a device": _records,
    "circumstances of a device": _circumstances,
    "outcome of a training": _in_file("given.json", _outcome),
    "summary of a search": _summary,
    "front of a search": _front,
    "result of a search": _result,
    "trials of a search": _trials,
    "checkpoint of a training": _in_file("given.pt", _checkpoint),
    "weights": _in_file("given.pt", _weights),
    "weights, safetensors": _in_file("given.safetensors", _weights),
    "picture": _picture,
    "count with a unit": _of_text(lambda text: values.number("--max-params", text, values.COUNT_UNITS)),
    "bytes with a unit": _of_text(lambda text: values.number("--max-memory", text, values.BYTE_UNITS)),
    "image size": _of_text(values.image_size),
    "storage URL": _of_text(_url),
}

SEEDS: dict[str, bytes] = {}
FRONT: dict[str, bytes] = {}  # the networks of the front that the seeds are of


def fill_seeds(folder: Path) -> None:
    """One legal content for every parser, made by what writes it."""
    from PIL import Image

    space = (space_folder() / "tiny.yaml").read_bytes()
    rows = [{"config": "pvt_tiny", "top1": 75.1}, {"config": json.loads(_row_of_front(folder)), "top1": 79.8}]
    found = calibrated(load_space("tiny"), (64, 64), folder / "c.json")
    assert found.measured
    add_measurements(measurements(), folder / "devices")
    Image.new("RGB", (5, 4), "red").save(folder / "p.png")
    _fill_torch_seeds(folder)
    SEEDS.update(
        {
            "configuration": dump_config(SMALL).encode(),
            "space": space,
            "table, JSON": json.dumps({"source": "x", "networks": rows}).encode(),
            "table, CSV": b"config,top1,top5\npvt_tiny,75.1,90\npvt_small,79.8,91\n",
            "calibration": (folder / "c.json").read_bytes(),
            "records of a device": next((folder / "devices").glob("*.csv")).read_bytes(),
            "circumstances of a device": (folder / "devices" / "nvidia-h200.json").read_bytes(),
            "outcome of a training": json.dumps({"outcome": {
                "accuracy_percent": 50.0, "held_out": 4, "seconds": 1.5,
                "curve": [{"number": 1, "loss": 0.5, "accuracy_percent": 50.0}]}}).encode(),
            "summary of a search": (folder / "search" / "summary.json").read_bytes(),
            "front of a search": (folder / "search" / "front.csv").read_bytes(),
            "result of a search": (folder / "search" / "result.json").read_bytes(),
            "trials of a search": (folder / "search" / "trials.csv").read_bytes(),
            "picture": (folder / "p.png").read_bytes(),
            "count with a unit": b"25.6M",
            "bytes with a unit": b"4GiB",
            "image size": b"800x1344",
            "storage URL": b"user/db?application_name=x",
        }
    )  # fmt: skip


def _row_of_front(folder: Path) -> str:
    """The configuration of the first row of a small search's front, as its files hold it."""
    import csv

    budget = Budget({"params": 400_000, "macs": 12_000_000})
    write_outputs(run_search("tiny", budget=budget, extrapolate=True, trials=5), folder / "search")
    FRONT.update({path.name: path.read_bytes() for path in (folder / "search" / "front").iterdir()})
    with (folder / "search" / "front.csv").open(encoding="utf-8") as file:
        return next(iter(csv.DictReader(file)))["config"]


def _fill_torch_seeds(folder: Path) -> None:
    from safetensors.torch import save_file

    from pvtsearch.models.pvt import build_pvt
    from pvtsearch.training.checkpoints import Checkpoint, write_checkpoint, write_weights
    from pvtsearch.trainings import Epoch

    weights = build_pvt(SMALL).state_dict()
    write_weights(folder / "w.pt", weights)
    write_checkpoint(folder / "c.pt", Checkpoint("digest", 3, {"network": weights}, 0.5, (Epoch(1, 0.5, 50.0),), 1.5))
    save_file(weights, folder / "w.safetensors")
    SEEDS["weights"] = (folder / "w.pt").read_bytes()
    SEEDS["checkpoint of a training"] = (folder / "c.pt").read_bytes()
    SEEDS["weights, safetensors"] = (folder / "w.safetensors").read_bytes()


NASTY: tuple[bytes, ...] = (
    b"",
    b"null",
    b"true",
    b"-1",
    b"0",
    b"1e999999999",
    b"-1e999999999",
    b".nan",
    b"NaN",
    b".inf",
    b"Infinity",
    b"1e308",
    b"9" * 20,
    b"9" * 400,
    b"9" * 5000,
    b"0x" + b"f" * 300,
    b"0x" + b"f" * 5000,
    b"1_0",
    b"\xd9\xa3",
    b"0.1e-400",
    b"&a [*a]",
    b"*a",
    b"&a {b: *a}",
    b"<<: *a",
    b"!!python/object/apply:os.system [ls]",
    b"!!set {a}",
    b"!!binary aGk=",
    b"!!omap [a: 1]",
    b"2020-01-01",
    b"2020-99-99",
    b"---",
    b"...",
    b"%YAML 9.9",
    b"[" * 2000,
    b"{" * 2000,
    b"[[[[1]]]]",
    b"\x00",
    b"\x1b[31m",
    b"\xe2\x80\xae",
    b"\xe2\x80\xa8",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\r",
    b"\r\n",
    b"../../../x",
    b"/etc/passwd",
    b"~root/x",
    b"<script>",
    b"[/red]",
    b"{task.fields}",
    b"{0}",
    b"%s%n",
    b"'",
    b'"',
    b"`",
    b",",
    b";",
    b":",
    b"|",
    b"#",
    b"\\",
    b"a" * 3000,
    b"NUL",
    b"{}",
    b"[]",
    b'{"a": 1}',
    b'"' + b"a" * 20_000 + b'"',
)

NASTY_VALUES: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 10**9 + 1, 2**63, 2**64, 10**30, -(10**30), 10**200, 1e308, -1e308, 5e-324,
    float("nan"), float("inf"), "", "x" * 3000, "../../x", "\x1b[31m", "\u202e", "\x00", "null", "1e999", "<b>", [], {},
    [[]], [None], {"a": None}, {"": []}, [1] * 50, "cuda:99", "classification", "9" * 5000,
)  # fmt: skip


def mutated(seed: bytes, randomness: random.Random) -> bytes:
    """Content like seed, with bytes changed, lost, doubled, and hostile ones put in; or values of JSON replaced."""
    if seed[:1] == b"{" and randomness.random() < 0.6:
        return _mutated_json(seed, randomness)
    content = bytearray(seed)
    for _ in range(randomness.choice((1, 1, 1, 2, 3, 6))):
        _mutate(content, randomness)
    return bytes(content)


def _mutate(content: bytearray, randomness: random.Random) -> None:
    place = randomness.randrange(len(content) + 1)
    end = min(len(content), place + randomness.choice((1, 1, 2, 4, 8, 32)))
    match randomness.randrange(6):
        case 0 if place < len(content):
            content[place] = randomness.randrange(256)
        case 1:
            del content[place:end]
        case 2:
            content[place:place] = content[place:end] * randomness.choice((1, 2, 100))
        case 3:
            content[place:place] = randomness.choice(NASTY)
        case 4:
            content[place:end] = randomness.choice(NASTY)
        case _:
            _replace_token(content, randomness)


def _replace_token(content: bytearray, randomness: random.Random) -> None:
    """Put something hostile in the place of a word or number."""
    import re

    tokens = list(re.finditer(rb"[\w.+-]+", bytes(content[:20_000])))
    if tokens:
        token = randomness.choice(tokens)
        content[token.start() : token.end()] = randomness.choice(NASTY)


def _mutated_json(seed: bytes, randomness: random.Random) -> bytes:
    """Some values of a JSON document replaced or removed, wherever they are."""
    document = json.loads(seed)
    for _ in range(randomness.choice((1, 1, 2, 4))):
        container: Any = document
        while True:
            keys = list(container) if isinstance(container, Mapping) else list(range(len(container)))
            if not keys:
                break
            key = randomness.choice(keys)
            if isinstance(container[key], dict | list) and container[key] and randomness.random() < 0.8:
                container = container[key]
                continue
            if randomness.random() < 0.2:
                del container[key]
            else:
                container[key] = deepcopy(randomness.choice(NASTY_VALUES))
            break
    return json.dumps(document).encode()

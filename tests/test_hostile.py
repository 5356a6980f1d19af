"""Laws of hostile input: whatever a file or an argument holds, a value comes out or one line that refuses it."""

from __future__ import annotations

import os
import random
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hostile import NASTY, PARSERS, SEEDS, fill_seeds, mutated, verdict
from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st

from pvtsearch.analysis.metrics import analytic_cost, every_metric
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.analysis.sweep import Sweep
from pvtsearch.cli import run
from pvtsearch.config import PooledReduction, SpatialReduction
from pvtsearch.documents import MOST_BYTES, read_text
from pvtsearch.errors import InputError, SpaceError
from pvtsearch.knobs import StageKnobs
from pvtsearch.serialize import load_config
from pvtsearch.shown import LONGEST, printable, short
from pvtsearch.space import SearchSpace

FEW = 25  # of each parser in the default suite
MANY = 3000
STAGE = "{patch_size: 4, embed_dim: 8, depth: 1, num_heads: 1, mlp_ratio: 2}"


@pytest.fixture(scope="module", autouse=True)
def seeds(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Legal content for every parser."""
    fill_seeds(tmp_path_factory.mktemp("seeds"))


def hold(name: str, content: bytes) -> str:
    """The law of a parser for one content."""
    with tempfile.TemporaryDirectory() as folder:
        return verdict(PARSERS[name], content, Path(folder))


@pytest.mark.filterwarnings("ignore")  # libraries warn of what they then refuse
@pytest.mark.parametrize("name", PARSERS)
def test_what_is_written_is_read(name: str) -> None:
    """Of every parser the legal content is a value: what follows is not refused for another reason."""
    expected = "refused" if name == "storage URL" else "value"  # no server answers there
    assert hold(name, SEEDS[name]) == expected


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PARSERS)
def test_hostile_content_is_a_value_or_refused(name: str) -> None:
    """No traceback, one line, and no file left: for content that is nearly legal."""
    for number in range(FEW):
        hold(name, mutated(SEEDS[name], random.Random(f"{name} {number}")))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=15, derandomize=True, suppress_health_check=list(HealthCheck))
@given(content=st.one_of(st.binary(max_size=300), st.text(max_size=100).map(str.encode), st.sampled_from(NASTY)))
def test_any_bytes_are_a_value_or_refused(name: str, content: bytes) -> None:
    """The same for bytes that know nothing of the format."""
    hold(name, content)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=MANY, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**64))
def test_much_hostile_content(name: str, seed: int) -> None:
    """The same, for longer, and other content each time."""
    hold(name, mutated(SEEDS[name], random.Random(seed)))


def _fifo(path: Path) -> None:
    os.mkfifo(path)


SPECIAL: dict[str, Callable[[Path], object]] = {
    "folder": Path.mkdir,
    "pipe": _fifo,
    "device that never ends": lambda path: path.symlink_to("/dev/zero"),
    "link to itself": lambda path: path.symlink_to(path),
    "link to nothing": lambda path: path.symlink_to("nowhere"),
    "ten megabytes": lambda path: path.write_bytes(b"#" * 10**7),
    "no UTF-8": lambda path: path.write_bytes(b"\xff\xfe"),
    "nothing": lambda _path: None,
}


@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize(
    "command",
    [
        "profile given.yaml",
        "space given.yaml --max-gmacs 1",
        "validate params --table given.yaml",
        "verify --front given.yaml",
        "export pvt_v2_b0 --onnx x.onnx --weights given.yaml --image-size 32",
    ],
)
def test_what_is_no_file_is_refused_at_once(
    kind: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pipes are not waited for, devices not read to an end that they have not, and nothing is left behind."""
    monkeypatch.chdir(tmp_path)
    SPECIAL[kind](tmp_path / "given.yaml")
    before = sorted(tmp_path.iterdir())
    assert run(command.split()) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "given.yaml" in err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "text",
    [
        f"stages: [{STAGE}]\nname: [&a [x, x, x, x, x, x, x, x], "
        + ", ".join(f"&{b} [{', '.join([f'*{a}'] * 8)}]" for a, b in zip("abcdefghi", "bcdefghij", strict=True))
        + "]",
        "stages: &a [*a]",
        "&a {stages: *a}",
        f"stages: [{STAGE}]\nname: !!omap [a: &a [*a]]",
        "stages: [0x" + "f" * 5000 + "]",
    ],
)
def test_aliases_that_explode_are_refused(text: str, tmp_path: Path) -> None:
    """A file says no more than its size allows: 8^10 names in 300 bytes, or what holds itself, are not written out."""
    path = tmp_path / "given.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"aliases, written out|holds a number of 20,000 bits"):
        load_config(path)


def test_a_mark_and_line_ends_of_other_systems_mean_nothing(tmp_path: Path) -> None:
    """A byte order mark and CRLF are as if they were not there."""
    plain, other = tmp_path / "c.yaml", tmp_path / "other" / "c.yaml"
    other.parent.mkdir()
    text = f"stages:\n  - {STAGE}\nimage_size: 32\n"
    plain.write_text(text)
    other.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert load_config(plain) == load_config(other)


def test_a_file_of_just_the_most_is_read(tmp_path: Path) -> None:
    """The limit is a limit, not one less."""
    path = tmp_path / "f"
    path.write_bytes(b"#" * MOST_BYTES)
    assert len(read_text(path)) == MOST_BYTES


@given(value=st.recursive(st.none() | st.integers() | st.floats() | st.text() | st.binary(), st.lists, max_leaves=50))
def test_values_are_shown_short_and_printable(value: object) -> None:
    """Whatever is wrong, an error about it is a line of bounded length."""
    assert len(short(value)) <= LONGEST
    assert short(value).isprintable()


@given(text=st.text())
def test_nothing_steers_a_terminal(text: str) -> None:
    """Neither colours, nor cursor movements, nor letters that turn a line around."""
    assert printable(text).isprintable()
    assert printable(printable(text)) == printable(text)


@pytest.mark.parametrize("name", ["\x1b[31mred", "\u202eyaml", "\udcff", "a\nb", "a\0b"])
def test_names_of_files_do_not_steer_a_terminal(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What a command was given is shown as it is written, not as a terminal would take it."""
    assert run(["profile", f"{name}.yaml"]) == 2
    assert capsys.readouterr().err.rstrip("\n").isprintable()


@pytest.mark.parametrize("name", ["[/red]", "{task.fields}", "{0}", "{", "[bold]x", "<script>"])
def test_markup_in_a_label_is_text(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A progress bar shows a network's name; it is no markup, and no template."""
    import io

    from pvtsearch.cli.progress import progress

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with progress(f"training {name}", 2) as advance:
        advance(1)
    assert f"training {name}" in terminal.getvalue()


WIDE = st.one_of(st.integers(1, 64), st.integers(1, 10**6), st.integers(1, 999_999_999), st.just(999_999_999))


@st.composite
def wide_spaces(draw: st.DrawFn) -> SearchSpace:
    """Spaces of one or two stages with numbers of every size that a space may hold."""
    stages = tuple(
        StageKnobs(
            patch_size=(draw(st.sampled_from((1, 2, 4, 1000))),),
            embed_dim=tuple({draw(WIDE), 8}),
            depth=tuple({draw(WIDE), 1}),
            mlp_ratio=(draw(st.sampled_from((0.5, 4, 1000, 99_999_999))),),
            attention=(draw(st.sampled_from((SpatialReduction(1), SpatialReduction(8), PooledReduction(7)))),),
            num_heads=(1,),
        )
        for _ in range(draw(st.integers(1, 2)))
    )
    network = {"pool": ("mean",), "mlp": (draw(st.sampled_from(("plain", "conv"))),)}
    sides, classes = draw(st.sampled_from((64, 10**6, 10**9))), draw(WIDE)
    try:
        return SearchSpace(stages, network, image_size=sides, num_classes=classes)
    except SpaceError:
        reject()


@settings(max_examples=150, derandomize=True, suppress_health_check=list(HealthCheck))
@given(space=wide_spaces(), side=st.sampled_from((64, 5000, 10**6)), batch=st.sampled_from((1, 1000, 10**9)))
def test_arrays_never_overflow(space: SearchSpace, side: int, batch: int) -> None:
    """Costs of many networks at once are those of Python's integers, however large; or the whole space is refused."""
    costing = every_metric("classification", MemorySetting(batch_size=batch))
    try:
        sweep = Sweep(space, (side, side), costing=costing)
    except InputError as error:
        if "beyond exact 64-bit integers" in str(error):
            return
        raise
    points, costs = next(sweep.every_point())
    assume(len(points))
    assert costs.dtype == np.int64
    for point, cost in zip(points, costs.tolist(), strict=True):
        exact = analytic_cost(sweep.config(point), (side, side), "classification", costing)
        assert dict(zip(costing.metrics, cost, strict=True)) == exact


def test_a_picture_of_a_million_pixels_a_side_is_counted_exactly(capsys: pytest.CaptureFixture[str]) -> None:
    """Closed forms are Python's integers: 10^24 multiply-accumulates are a number as any other."""
    import json

    assert run(["profile", "pvt_v2_b0", "--image-size", "1000000", "--format", "json"]) == 0
    model = json.loads(capsys.readouterr().out)["models"][0]
    assert sum(model["macs_by_stage"]) + model["head"]["macs"] == model["macs"] > 10**18
    assert run(["search", "pvt_v2", "--max-gmacs", "1e20", "--image-size", "1000000", "--objectives", "macs"]) == 2
    assert "beyond exact 64-bit integers" in capsys.readouterr().err


def test_checkpoints_run_no_code(tmp_path: Path) -> None:
    """A pickle that calls something is refused, and was not called."""
    import pickle

    from pvtsearch.models.weights import read_checkpoint
    from pvtsearch.training import checkpoints

    class Evil:
        def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
            return os.mkdir, (str(tmp_path / "called"),)

    path = tmp_path / "evil.pt"
    path.write_bytes(pickle.dumps({"model": Evil()}))
    with pytest.raises(InputError, match="read safely"):
        read_checkpoint(path)
    with pytest.raises(InputError, match="no checkpoint of a training"):
        checkpoints.read_checkpoint(path, "digest")
    assert list(tmp_path.iterdir()) == [path]


def test_tensors_larger_than_their_file_are_refused(tmp_path: Path) -> None:
    """One number repeated 10^12 times is 1,500 bytes of a file: it is not written out."""
    import torch

    from pvtsearch.models.pvt import build_pvt
    from pvtsearch.models.weights import load_weights, read_checkpoint

    config = load_config("pvt_v2_b0")
    for strange in (torch.ones(1).expand(10**6, 10**6), torch.ones(3, device="meta")):
        torch.save({"stages.0.blocks.0.attn.key.weight": strange}, tmp_path / "w.pt")
        with pytest.raises(InputError, match="dense, real tensors"):
            load_weights(build_pvt(config), read_checkpoint(tmp_path / "w.pt"))  # type: ignore[arg-type]


def test_devices_and_pipes_are_not_replaced(tmp_path: Path) -> None:
    """A result that is sent to /dev/null or a pipe does not put a file in its place."""
    from pvtsearch.files import appearing, write_whole

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/null")):
        with pytest.raises(InputError, match="not a regular file"):
            write_whole(path, "text")
        with pytest.raises(InputError, match="not a regular file"), appearing(path):
            pass
        assert not stat.S_ISREG(path.stat().st_mode)


def test_links_lead_to_what_is_written(tmp_path: Path) -> None:
    """Written through a link, its target changes and the link stays."""
    from pvtsearch.files import write_whole

    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_whole(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "text"

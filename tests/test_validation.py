"""Laws of validation: a table with known tau gives that tau; a shipped card is what its command makes again."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import os
import shlex
from pathlib import Path
from typing import Any

import pytest

from pvtsearch.accuracy.agreement import kendall_tau
from pvtsearch.accuracy.cards import Validation, card, dump_validations, read_validations, verdict
from pvtsearch.accuracy.frame import Frame, frame_of, own_frame
from pvtsearch.accuracy.signals import SIGNALS
from pvtsearch.accuracy.tables import load_table, network_macs
from pvtsearch.accuracy.validation import COUNTS, scorer, scores_of, validate
from pvtsearch.cli import run
from pvtsearch.config import PVTConfig
from pvtsearch.errors import InputError
from pvtsearch.presets import PRESETS
from pvtsearch.report.wording import card_in_words
from pvtsearch.serialize import config_to_dict, load_config

TABLE = "PVTSEARCH_PIT_TABLE"  # the file of ViT-Bench-101's PiT networks, in the form of pvtsearch.accuracy.tables
STATIC = ("prior", "params", "macs", "width_sum")
NETWORKS = ("pvt_tiny", "pvt_small", "pvt_v2_b0", "pvt_large", "deeper", "pvt_v2_b1", "pvt_medium", "pvt_v2_b4")
CEILING = "first,second"


def rows(noise: float = 0.0) -> list[dict[str, Any]]:
    """Networks whose first accuracy is the prior's order, whose second has every other pair of neighbours swapped."""
    order = sorted(NETWORKS, key=lambda name: prior_of(preset(name)))
    swapped = [order.index(name) ^ 1 for name in NETWORKS]
    return [
        {
            "config": config_to_dict(preset(name)) if name == "deeper" else name,
            "first": 70 + order.index(name),
            "second": 60 + place,
        }
        for name, place in zip(NETWORKS, swapped, strict=True)
    ]


def prior_of(config: PVTConfig) -> float:
    """The prior of a network as under a budget of its own MACs."""
    return SIGNALS["prior"].score(config, own_frame(config, network_macs(config)))


def preset(name: str) -> PVTConfig:
    """A preset, or PVT-Small with a block more in stage 3: the only two of equal MACs here."""
    if name == "deeper":
        small = preset("pvt_small")
        stages = (*small.stages[:2], dataclasses.replace(small.stages[2], depth=7), small.stages[3])
        return dataclasses.replace(small, name=name, stages=stages)
    config = PRESETS[name].config
    assert isinstance(config, PVTConfig)
    return config


def written(path: Path, networks: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps({"source": "made up", "networks": networks}), encoding="utf-8")
    return path


def test_a_table_with_known_tau(tmp_path: Path) -> None:
    """Where accuracy is the order of the score, tau is 1 and every pair right; with 4 of 28 pairs swapped it is 5/7."""
    table = load_table(written(tmp_path / "known.json", rows()))
    first = validate("prior", dataclasses.replace(table, accuracies={"first": table.accuracies["first"]}))
    assert (first.tau, first.pair_percent, verdict(first)) == (1, 100, "too few pairs to tell")
    both = validate("prior", table, trainings=("first", "second"))
    assert both.by_column["second"][0] == round(1 - 2 * 4 / 28, 4)
    assert both.ceiling is not None
    assert both.ceiling.tau == round(1 - 2 * 4 / 28, 4)
    assert (both.networks, both.accuracies, both.table) == (8, ("first", "second"), "made up")
    assert both.sha256 == hashlib.sha256((tmp_path / "known.json").read_bytes()).hexdigest()


def test_the_same_networks_in_every_form(tmp_path: Path) -> None:
    """Names, values and paths, JSON and CSV: one table, the same figures."""
    plain = load_table(written(tmp_path / "names.json", rows()))
    (tmp_path / "small.yaml").write_text((json.dumps(config_to_dict(preset("pvt_small")))), encoding="utf-8")
    mixed = [
        {**row, "config": {"pvt_small": "small.yaml", "pvt_tiny": config_to_dict(preset("pvt_tiny"))}.get(name, value)}
        for row in rows()
        for value in [row["config"]]
        for name in [str(value)]
    ]
    assert load_table(written(tmp_path / "mixed.json", mixed)).networks == plain.networks
    with (tmp_path / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["config", "first", "second"])
        writer.writeheader()
        for row in mixed:
            value = row["config"]
            writer.writerow({**row, "config": json.dumps(value) if isinstance(value, dict) else value})
    table = load_table(tmp_path / "rows.csv")
    assert (table.networks, table.accuracies) == (plain.networks, plain.accuracies)


def test_each_network_is_scored_under_its_own_macs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A score that is relative to published networks sees those at each network's own MACs: itself, for one of them."""
    seen = []
    signal = dataclasses.replace(SIGNALS["prior"], score=lambda _config, frame: seen.append(frame) or 1.0)
    monkeypatch.setitem(SIGNALS, "prior", signal)
    table = load_table_of_presets("pvt_small", "pvt_tiny")
    scores_of("prior", table)
    assert seen == [own_frame(config, macs) for config, macs in zip(table.networks, table.macs(), strict=True)]
    assert seen[0] != seen[1]


def load_table_of_presets(*names: str) -> Any:
    from pvtsearch.accuracy.tables import TrainedTable

    return TrainedTable("t.json", "t", "0" * 64, tuple(preset(name) for name in names), {"top1": (1.0, 2.0)})


@pytest.mark.parametrize(
    ("networks", "text"),
    [
        ([{"config": "pvt_tiny", "top1": 1}], "networks: must hold at least 2 rows, got 1"),
        ([{"top1": 1}] * 2, r"networks\[0\]: must have either config or arch"),
        ([{"config": "pvt_tiny"}] * 2, r"networks\[0\]: has no accuracy"),
        ([{"config": "pvt_tiny", "top1": 1}, {"config": "pvt_small"}], r"networks\[1\].top1: is missing"),
        ([{"config": "pvt_tiny", "top1": "good"}] * 2, r"top1: must be a finite number, got 'good'"),
        ([{"config": "pvt_tiny", "top1": float("nan")}] * 2, "must be a finite number, got nan"),
        ([{"config": "pvt_tinny", "top1": 1}] * 2, "did you mean 'pvt_tiny'"),
        ([{"config": "resnet50", "top1": 1}] * 2, r"networks\[0\].config: resnet50 is no pyramid"),
        ([{"arch": {"base_dim": 8}, "top1": 1}] * 2, r"networks\[0\].arch.num_heads: is missing"),
        ([{"arch": {"base": 8}, "top1": 1}] * 2, r"networks\[0\].arch.base: unknown field, did you mean 'base_dim'"),
    ],
)
def test_a_bad_table_is_refused_in_one_line(networks: list[dict[str, Any]], text: str, tmp_path: Path) -> None:
    """File, row, column, value and what would be right."""
    with pytest.raises(InputError, match=text):
        load_table(written(tmp_path / "bad.json", networks))


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    """Missing, no JSON, an unknown key."""
    for name, content, text in (
        ("none.json", None, "cannot be read: No such file"),
        ("text.json", "not json", "not valid JSON"),
        ("list.json", "[]", "must be a mapping of source"),
        ("key.json", '{"network": []}', "did you mean 'networks'"),
    ):
        if content is not None:
            (tmp_path / name).write_text(content, encoding="utf-8")
        with pytest.raises(InputError, match=text):
            load_table(tmp_path / name)


def test_a_card_is_read_back_equal() -> None:
    """JSON and back: figures, ceilings, intervals."""
    for name in SIGNALS:
        validations = card(name, "", "").validations
        assert read_validations(dump_validations(name, validations)) == validations


def test_every_signal_says_what_it_is_worth() -> None:
    """Contract of SIGNALS: validated on something, figures that belong together, caveats, no claim of accuracy."""
    for name, signal in SIGNALS.items():
        assert signal.card.signal == name
        assert "not an accuracy" in signal.card.meaning
        assert signal.card.caveats
        assert signal.card.validations
        for check in signal.card.validations:
            assert check.tau_interval[0] <= check.tau <= check.tau_interval[1]
            lower, upper = check.pair_interval_percent
            assert 0 <= lower <= check.pair_percent <= upper <= 100
            assert check.networks >= 100
            assert check.pairs > 0
            assert check.seconds_per_network >= 0
            assert shlex.split(check.command)[:4] == ["pvtsearch", "validate", name, "--table"]
            assert verdict(check) in card_in_words(signal.card)


def test_no_signal_scores_a_tie_by_accident() -> None:
    """Every signal tells PVT-Tiny from PVT-Small, the same way each time it is asked."""
    frame = frame_of((32, 32), "classification", {"macs": 10**9}, stages=4)
    small, tiny = load_config("pvt_small"), load_config("pvt_tiny")
    assert isinstance(small, PVTConfig)
    assert isinstance(tiny, PVTConfig)
    for signal in SIGNALS.values():
        first = signal.score(small, frame)
        assert first == signal.score(small, frame)
        assert first != signal.score(tiny, frame)


def table_at_hand() -> Path:
    found = Path(os.environ.get(TABLE, Path(__file__).parents[2] / "shared" / "reference" / "vitbench_pit.json"))
    if not found.is_file():
        pytest.skip(f"the table of trained PiT networks is not at hand: {TABLE} names no file")
    return found


def remade(name: str) -> tuple[Validation, Validation]:
    """A shipped card's figures, and those that its command makes now."""
    (kept,) = card(name, "", "").validations
    arguments = shlex.split(kept.command)
    table = load_table(table_at_hand(), arguments[arguments.index("--accuracy") + 1].split(","))
    first, second = arguments[arguments.index("--ceiling") + 1].split(",")
    return kept, validate(name, dataclasses.replace(table, name=arguments[4]), trainings=(first, second))


@pytest.mark.parametrize("name", STATIC)
def test_a_static_card_is_made_again(name: str) -> None:
    """Every figure, the table's sum and the command; only the seconds and the machine may differ."""
    kept, made = remade(name)
    same = {"seconds_per_network": kept.seconds_per_network, "circumstances": kept.circumstances}
    assert dataclasses.replace(made, **same) == kept


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SIGNALS if name not in STATIC])
def test_a_zero_cost_card_is_made_again(name: str) -> None:
    """Figures to what another machine's rounding may move: 0.005 of tau, one pair in two hundred."""
    kept, made = remade(name)
    assert (made.sha256, made.networks, made.pairs, made.command) == (
        kept.sha256,
        kept.networks,
        kept.pairs,
        kept.command,
    )
    assert made.tau == pytest.approx(kept.tau, abs=0.005)
    assert made.pair_percent == pytest.approx(kept.pair_percent, abs=0.5)


def test_the_table_agrees_with_what_was_known_of_it() -> None:
    """Parameters and MACs of the PiT networks against tau as it was measured by other code: .83 and .76."""
    for name, tau in (("params", 0.83), ("macs", 0.76)):
        assert round(remade(name)[1].tau, 2) == tau
    table = load_table(table_at_hand(), ["c100_base_acc", "c100_kd_acc"])
    assert kendall_tau(table.accuracies["c100_base_acc"], table.accuracies["c100_kd_acc"]) > 0.7


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`validate` prints and writes the card of a table; `signals` lists every signal; what is wrong takes one line."""
    table = written(tmp_path / "known.json", rows())
    assert (
        run(["validate", "prior", "--table", str(table), "--ceiling", CEILING, "--out", str(tmp_path / "w.json")]) == 0
    )
    printed = capsys.readouterr().out
    assert "8 networks" in printed
    assert "Noise ceiling: first and second agree" in printed
    (kept,) = read_validations((tmp_path / "w.json").read_text(encoding="utf-8"))
    assert kept.command == "pvtsearch validate prior --table known.json --accuracy first,second --ceiling first,second"
    assert run(["validate", "prior", "--table", str(table), "--accuracy", "second", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracies"] == ["second"]
    assert run(["signals"]) == 0
    printed = capsys.readouterr().out
    assert all(f"{name}: {signal.card.meaning}" in printed for name, signal in SIGNALS.items())
    assert run(["signals", "--format", "json"]) == 0
    assert [entry["signal"] for entry in json.loads(capsys.readouterr().out)["signals"]] == list(SIGNALS)
    for arguments, text in (
        (["zne", "--table", str(table)], "zne: no signal, did you mean 'zen'?"),
        (["prior", "--table", str(table), "--accuracy", "third"], "networks[0].third: is missing"),
        (["prior", "--table", str(table), "--ceiling", "first"], "--ceiling must name two different columns"),
        (["prior", "--table", str(table), "--ceiling", "first,third"], "--ceiling third: no column of accuracies"),
    ):
        assert run(["validate", *arguments]) == 2
        complaint = capsys.readouterr().err
        assert text in complaint
        assert complaint.count("\n") == 1


def test_counts_are_no_signals() -> None:
    """Parameters and MACs can be validated, as what a signal has to beat, and are no objectives to make large."""
    assert not set(COUNTS) & set(SIGNALS)
    assert scorer("params")(preset("pvt_small"), Frame((224, 224))) == 24_485_864


@pytest.mark.parametrize(
    ("pairs", "interval", "words"),
    [
        (9, (100.0, 100.0), "too few pairs to tell"),
        (10, (50.1, 90.0), "better than a coin"),
        (10, (10.0, 49.9), "worse than a coin"),
        (10, (50.0, 90.0), "not told from a coin"),
    ],
)
def test_a_verdict_needs_pairs_and_an_interval_without_the_coin(
    pairs: int, interval: tuple[float, float], words: str
) -> None:
    """Few pairs tell nothing, though a bootstrap of one pair has no width; an interval that holds 50 % neither."""
    (kept,) = SIGNALS["prior"].card.validations
    assert verdict(dataclasses.replace(kept, pairs=pairs, pair_interval_percent=interval)) == words

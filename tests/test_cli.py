"""Laws of the command line: documented answers, one-line errors with status 2, nothing half-written."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from pvtsearch.cli import run, values
from pvtsearch.serialize import dump_config, load_config
from pvtsearch.serialize_space import space_folder


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Standard output of a command that must succeed."""
    assert run(list(arguments)) == 0
    return capsys.readouterr().out


def test_profile_json_has_the_documented_form(capsys: pytest.CaptureFixture[str]) -> None:
    """`profile --format json`: input, task and one entry per model; stages + head == total."""
    out = json.loads(answer(capsys, "profile", "pvt_small", "resnet50", "--against", "resnet50", "--format", "json"))
    assert {key: out[key] for key in ("image_size", "batch_size", "dtype", "attention", "task")} == {
        "image_size": [224, 224], "batch_size": 1, "dtype": "float32", "attention": "fused", "task": "classification",
    }  # fmt: skip
    small, resnet = out["models"]
    assert (small["name"], small["params"], small["macs"]) == ("pvt_small", 24_485_864, 3_815_701_504)
    assert sum(small["params_by_stage"]) + small["head"]["params"] == small["params"]
    assert sum(small["macs_by_stage"]) + small["head"]["macs"] == small["macs"]
    assert (
        small["by_operator"]["conv"] + small["by_operator"]["linear"] + small["by_operator"]["matmul"] == small["macs"]
    )
    assert small["against"]["resnet50"]["params"] == 24_485_864 / 25_557_032
    assert resnet["against"]["resnet50"] == dict.fromkeys(
        ("params", "macs", "inference_peak_bytes", "training_peak_bytes"), 1.0
    )
    assert small["inference_peak_bytes"] == max(stage["peak_bytes"] for stage in small["inference_peak_by_stage"])
    assert [stage["name"] for stage in small["inference_peak_by_stage"]][-2:] == ["stage 4", "head"]
    assert not any(value is None for value in small.values())


def test_profile_of_a_backbone_at_another_size(capsys: pytest.CaptureFixture[str]) -> None:
    """A backbone has no head; the image size changes MACs and never parameters."""
    arguments = ("profile", "pvt_small", "--task", "backbone", "--format", "json")
    small, large = (json.loads(answer(capsys, *arguments, "--image-size", s))["models"][0] for s in ("224", "800x1344"))
    assert small["head"] == {"params": 0, "macs": 0}
    assert small["params"] == large["params"] == 24_485_864 - 513_000 - 1024 - 512
    assert large["macs"] > small["macs"]


def test_profile_memory_is_for_the_setting_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Memory grows with batch, explicit attention and optimizer, and shrinks with the type; nothing else does."""
    base = ("profile", "deit_tiny", "--image-size", "32", "--format", "json")
    options = ((), ("--batch-size", "8"), ("--dtype", "bfloat16"), ("--attention", "explicit"), ("--optimizer", "sgd"))
    one, batch, half, explicit, sgd = (json.loads(answer(capsys, *base, *more)) for more in options)
    assert (batch["batch_size"], half["dtype"], explicit["attention"]) == (8, "bfloat16", "explicit")
    assert (one["optimizer"], sgd["optimizer"]) == ("adamw", "sgd")
    for peak in ("inference_peak_bytes", "training_peak_bytes"):
        peaks = [out["models"][0][peak] for out in (one, batch, half, explicit, sgd)]
        assert peaks[1] > peaks[0] > peaks[2] >= 0.49 * peaks[0]  # AdamW counts in float32
        assert peaks[3] >= peaks[0] >= peaks[4]
    for out in (one, batch, half, explicit, sgd):
        out["models"][0] = {name: value for name, value in out["models"][0].items() if "_peak_" not in name}
    assert one["models"] == batch["models"] == half["models"] == explicit["models"] == sgd["models"]


def test_profile_under_autocast_is_of_the_training_step(capsys: pytest.CaptureFixture[str]) -> None:
    """Mixed precision changes the training step's memory and nothing else."""
    base = ("profile", "deit_tiny", "--batch-size", "64", "--format", "json")
    plain, mixed = (json.loads(answer(capsys, *base, *more)) for more in ((), ("--autocast", "bfloat16")))
    assert (plain["autocast"], mixed["autocast"]) == ("none", "bfloat16")
    before, after = ({**out["models"][0]} for out in (plain, mixed))
    assert after.pop("training_peak_bytes") < before.pop("training_peak_bytes")
    assert after.pop("training_peak_by_stage") != before.pop("training_peak_by_stage")
    assert before == after


def test_profile_by_the_kernels_of_a_device(capsys: pytest.CaptureFixture[str]) -> None:
    """A workspace more, no logsumexp in inference, and nothing else."""
    base = ("profile", "deit_tiny", "--format", "json")
    cpu, cuda = (json.loads(answer(capsys, *base, "--memory-backend", backend)) for backend in ("cpu", "cuda"))
    before, after = (out["models"][0]["inference_peak_bytes"] for out in (cpu, cuda))
    assert (cpu["memory_backend"], cuda["memory_backend"]) == ("cpu", "cuda")
    assert after == before + 33_554_432


def test_profile_states_what_another_source_would(capsys: pytest.CaptureFixture[str]) -> None:
    """`--convention` adds a total beside parameters and MACs, in every format; without it there is none."""
    asked = ("profile", "pvt_small", "--convention", "paper_v1")
    out = json.loads(answer(capsys, *asked, "--format", "json"))
    assert (out["convention"], out["models"][0]["stated_operations"]) == ("paper_v1", 3_815_914_816)
    assert out["models"][0]["macs"] == 3_815_701_504
    (row,) = csv.DictReader(io.StringIO(answer(capsys, *asked, "--format", "csv")))
    assert row["stated_operations"] == "3815914816"
    for form in ("table", "markdown"):
        text = answer(capsys, *asked, "--format", form)
        assert "by paper_v1" in text
        assert "3,815,914,816" in text
        assert "By paper_v1: PVT v1's GFLOPs" in text
    plain = json.loads(answer(capsys, "profile", "pvt_small", "--format", "json"))
    assert "convention" not in plain
    assert "stated_operations" not in plain["models"][0]


def test_profile_tables(capsys: pytest.CaptureFixture[str]) -> None:
    """For people: totals, ratios with a verdict, stages, and how the numbers were obtained; CSV for programs."""
    for form in ("table", "markdown"):
        text = answer(capsys, "profile", "pvt_small", "deit_base", "--against", "resnet50,resnet101", "--format", form)
        assert "24,485,864" in text
        assert "0.958 within" in text
        assert "3.387 over" in text
        assert "Closed form, exact" in text
    rows = list(csv.DictReader(io.StringIO(answer(capsys, "profile", "pvt_small", "deit_base", "--format", "csv"))))
    assert [row["macs"] for row in rows] == ["3815701504", "17563828224"]
    assert rows[1]["stage_2_macs"] == ""


def test_list_names_every_preset_and_space(capsys: pytest.CaptureFixture[str]) -> None:
    """What can be asked for is listed, with what was published of it."""
    out = json.loads(answer(capsys, "list", "--format", "json"))
    assert {"pvt_tiny", "resnet50", "deit_base", "vit_base"} <= {preset["name"] for preset in out["presets"]}
    assert out["spaces"]["tiny"] == 8192
    assert "pvt_v2_b2_li" in answer(capsys, "list")


def test_export_prints_a_call_or_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    """Every library that could build the network is answered for."""
    out = answer(capsys, "export", "pvt_v2_b2")
    assert "depths=[3, 4, 6, 3]" in out
    assert "# none: " in out


def test_verify_agrees_and_says_how_many(capsys: pytest.CaptureFixture[str]) -> None:
    """Two presets and some random networks agree in every count, status 0."""
    out = answer(capsys, "verify", "pvt_tiny", "resnet18", "--image-size", "64", "--random", "5")
    assert "7 of 7 networks agree in every count." in out


def test_verify_fails_with_status_1_on_a_difference(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A counter that disagrees is shown with its difference."""
    monkeypatch.setattr("pvtsearch.verification.count_params", lambda _module: 1)
    assert run(["verify", "pvt_tiny", "--image-size", "32"]) == 1
    out = capsys.readouterr().out
    assert "differs by" in out
    assert "0 of 1 networks agree" in out


SEARCH = ["search", "tiny", "--max-gmacs", "0.012", "--extrapolate", "--trials", "30", "--sampler", "random"]


def test_search_writes_every_documented_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """front.csv, front/*.yaml, trials.csv, summary.json and report.html agree with each other and with the profile."""
    out = answer(capsys, *SEARCH, "--out", str(tmp_path))
    summary = json.loads((tmp_path / "summary.json").read_text())
    trials = list(csv.DictReader((tmp_path / "trials.csv").read_text().splitlines()))
    front = list(csv.DictReader((tmp_path / "front.csv").read_text().splitlines()))
    assert list(trials[0]) == ["trial", "state", "params", "macs", "prior", "config"]
    assert len(trials) == summary["trials"] == 30
    assert len(front) == summary["front_size"] == len(list((tmp_path / "front").iterdir()))
    assert summary["budget"]["limits"] == {"macs": 12_000_000}
    assert summary["size"] == 8192
    assert summary["extrapolated"] is True
    quality = summary["quality"]
    assert list(quality) == ["hypervolume_share", "reference", "factor", "found", "exact_front_size"]
    assert quality["reference"] == {"prior": 0, "macs": 12_000_001}
    assert 0 < quality["hypervolume_share"] < 1 < quality["factor"]
    assert f"the same question has {quality['exact_front_size']} Pareto-best points: the evaluated networks hold" in out
    assert "of the exact front's hypervolume, measured from prior 0 and the limit of 12.00 M MACs." in out
    for row in front:
        path = tmp_path / "front" / f"{row['name']}.yaml"
        assert dump_config(load_config(path)) == path.read_text()  # type: ignore[arg-type]
        entry = json.loads(answer(capsys, "profile", str(path), "--format", "json"))["models"][0]
        assert (entry["params"], entry["macs"]) == (int(row["params"]), int(row["macs"]))
    assert "</html>" in (tmp_path / "report.html").read_text()


MEMORY = ["--batch-size", "2", "--dtype", "float16", "--attention", "explicit"]


def test_memory_is_a_limit_and_an_objective_like_any_other(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Every trial is within --max-memory, its peak that of the profile; the summary says what it was computed for."""
    command = ["search", "tiny", "--max-memory", "700KiB", "--objectives", "inference_memory,params", *MEMORY,
               "--trials", "20", "--out", str(tmp_path)]  # fmt: skip
    out = answer(capsys, *command)
    assert "within 700.0 KiB peak memory in inference" in out
    trials = list(csv.DictReader((tmp_path / "trials.csv").read_text().splitlines()))
    assert list(trials[0]) == ["trial", "state", "params", "macs", "inference_peak_bytes", "config"]
    assert all(int(trial["inference_peak_bytes"]) <= 700 * 1024 for trial in trials)
    front = list(csv.DictReader((tmp_path / "front.csv").read_text().splitlines()))
    path = str(tmp_path / "front" / f"{front[0]['name']}.yaml")
    entry = json.loads(answer(capsys, "profile", path, *MEMORY, "--format", "json"))["models"][0]
    assert entry["inference_peak_bytes"] == int(front[0]["inference_peak_bytes"])
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["memory"] == {"batch_size": 2, "dtype": "float16", "attention": "explicit"}
    assert summary["budget"]["limits"] == {"inference_peak_bytes": 700 * 1024}
    assert summary["objectives"][0] == {"name": "inference_peak_bytes", "direction": "minimize"}
    assert "batch_size 2, dtype float16, attention explicit" in (tmp_path / "report.html").read_text()
    command[command.index("float16")] = "bfloat16"
    assert run(command) == 2
    assert 'its memory dtype is "float16"' in capsys.readouterr().err


def test_of_two_limits_on_memory_the_smaller_wins(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A network's peak and a number by hand."""
    for limit, expected in (("1GiB", 113_479_752), ("50MiB", 50 * 2**20)):
        out = tmp_path / limit
        answer(capsys, "search", "pvt_v1", "--budget", "resnet50", "--match", "macs,inference_memory", "--max-memory",
               limit, "--trials", "3", "--objectives", "macs", "--out", str(out))  # fmt: skip
        limits = json.loads((out / "summary.json").read_text())["budget"]["limits"]
        assert limits == {"macs": 4_089_184_256, "inference_peak_bytes": expected}


def test_why_there_is_no_distance_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the exact front needs too much, the search ends well without it, and says so in every place."""
    monkeypatch.setattr("pvtsearch.search.stagewise.solve.__kwdefaults__", {"most": 5})
    out = answer(capsys, *SEARCH, "--out", str(tmp_path))
    reason = "the exact front needs more than 5 partial networks of 2 stages"
    assert f"Not compared with the exact front: {reason}.\n" in out
    assert json.loads((tmp_path / "summary.json").read_text())["not_compared"] == reason
    assert f"Not compared with the exact front: {reason}." in (tmp_path / "report.html").read_text()


def test_the_same_command_gives_the_same_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Run again it evaluates nothing and writes the same; with fewer networks on the front no stale file stays."""
    answer(capsys, *SEARCH, "--out", str(tmp_path))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.suffix in (".csv", ".yaml", ".html")}
    (tmp_path / "front" / "front_999.yaml").write_text("stale")
    answer(capsys, *SEARCH, "--out", str(tmp_path))
    assert before == {path: path.read_bytes() for path in before}
    assert not (tmp_path / "front" / "front_999.yaml").exists()


MALFORMED = {
    "profile": "Missing argument",
    "profile pvt_smal": "did you mean 'pvt_small'",
    "profile missing.yaml": "cannot be read",
    "profile pvt_small --image-size 224by224": "--image-size must be a side such as 224",
    "profile pvt_small --image-size 0": "sides of 1 to 1,000,000",
    "profile pvt_small --image-size 16": "stages[0]: sr_ratio 8 needs a grid of at least 8x8, got 4x4",
    "profile pvt_small --task detection": "or detr, got 'detection'",
    "profile pvt_small --batch-size 0": "batch_size must be an integer of at least 1, got 0",
    "profile pvt_small --dtype float64": "'float64' is not one of",
    "profile pvt_small --attention flash": "'flash' is not one of",
    "profile pvt_small --autocast bfloat16 --dtype float16": "autocast needs dtype=float32, got dtype=float16",
    "profile pvt_small --memory-backend cuda --autocast bfloat16": "autocast is known for backend=cpu only",
    "profile pvt_small --format xml": "'xml' is not one of",
    "profile pvt_small --against resnet5": "did you mean 'resnet50'",
    "profile pvt_small --colour": "No such option",
    "profle pvt_small": "No such command 'profle'",
    "verify": "verify needs a CONFIG, --random N or --front DIR",
    "verify pvt_tiny --front x": "--front goes without CONFIG and --random",
    "verify --front nosuch": "--front nosuch: must be the folder of a search",
    "space": "Missing argument",
    "space tiny": "a search needs limits",
    "search tiny --max-gmacs 1 --extrapolate --method exhaustive": "'exhaustive' is not one of",
    "verify pvt_tiny --random -1": "greater than or equal to 0",
    "export": "Missing argument",
    "export pvt_small --weights w.pth": "--batch-size go with --onnx",
    "search": "Missing argument",
    "search tiny": "a search needs limits",
    "search tinny --budget resnet50": "did you mean 'tiny'",
    "search tiny --budget resnet": "did you mean",
    "search tiny --max-gmacs lots": "--max-gmacs must be a number above 0 and below 1e100, got 'lots'",
    "search tiny --max-gmacs 5G": "--max-gmacs must be a number above 0 and below 1e100, got '5G'",
    "search tiny --budget resnet50 --match ,": "match needs at least one of params, macs",
    "export pvt_small --batch-size 2": "go with --onnx",
    "search tiny --max-params 5X": "with a unit (k, M, G) or without, got '5X'",
    "search tiny --max-params 0": "--max-params must be a number above 0",
    "search tiny --max-gmacs 0.012": "give --extrapolate",
    "search pvt_v1 --max-params 25M": "needs a limit on MACs",
    "search pvt_v1 --budget resnet50 --match params,memory": "memory: no metric to match, known are params, macs",
    "search tiny --max-memory 4GG": "with a unit (B, kB, MB, GB, TB, KiB, MiB, GiB, TiB) or without, got '4GG'",
    "search tiny --max-gmacs 1 --extrapolate --batch-size 2": "is a circumstance of memory, which is not asked for",
    "search tiny --max-gmacs 1 --match macs": "--match names metrics of --budget, which is not given",
    "search tiny --max-memory 1MiB --objectives macs --optimizer sgd": "a circumstance of training memory",
    "search tiny --max-memory 1MiB --batch-size 0": "batch_size must be an integer of at least 1, got 0",
    "search tiny --max-memory 1MiB --dtype float64": "'float64' is not one of",
    "search pvt_v1 --task retinanet --max-memory 1GiB --objectives macs": "inference_memory is known for",
    "sweep tiny --out x.csv --batch-size 0": "batch_size must be an integer of at least 1, got 0",
    "search tiny --max-gmacs 1 --extrapolate --objectives acuracy": "objectives: acuracy: unknown, did you mean",
    "search tiny --max-gmacs 1 --extrapolate --trials 0": "greater than or equal to 1",
    "search tiny --max-gmacs 1 --extrapolate --sampler gp": "'gp' is not one of",
    "search tiny --max-gmacs 1 --extrapolate --seed -1": "greater than or equal to 0",
    "search tiny --max-gmacs 1 --extrapolate --storage nosuch://x": "--storage nosuch://x: no study storage",
    "search tiny --max-gmacs 1 --extrapolate --out file": "--out file: cannot be written: File exists",
}


@pytest.mark.parametrize(("command", "problem"), MALFORMED.items())
def test_malformed_commands_exit_2_with_one_line_and_leave_nothing(
    command: str, problem: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bad input: status 2, one line on standard error, no traceback, no file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert run(command.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert problem in err
    assert err.startswith("pvtsearch: ")
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_nothing_feasible_is_status_1_and_leaves_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A budget that no configuration meets: ran, failed, said why."""
    monkeypatch.chdir(tmp_path)
    assert run(["search", "tiny", "--max-params", "1k", "--objectives", "macs"]) == 1
    assert "no configuration of tiny is within params <= 1,000" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_space_with_nothing_legal_at_the_input_size_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Where no budget could help, the size of the input is to blame."""
    assert run(["search", "tiny", "--max-gmacs", "1", "--extrapolate", "--image-size", "16"]) == 1
    assert "is legal at 16x16: give a larger --image-size" in capsys.readouterr().err


def test_a_broken_study_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A study file that is none is named, and stays as it is."""
    (tmp_path / "study.db").write_text("no database")
    assert run([*SEARCH, "--out", str(tmp_path)]) == 2
    assert f"{tmp_path / 'study.db'}: no study storage that can be opened" in capsys.readouterr().err
    assert (tmp_path / "study.db").read_text() == "no database"


def test_an_interrupt_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Control-C: status 130, and what to do."""

    def interrupted(*_values: object, **_named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pvtsearch.cli.profile.load_config", interrupted)
    assert run(["profile", "pvt_small"]) == 130
    said = capsys.readouterr().err
    assert said.startswith("pvtsearch: interrupted; with the same command trials and trainings go on")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [("25.6M", 25_600_000), ("4.1G", 4_100_000_000), (".5k", 500), ("1e3", 1000), ("12", 12), ("1.9999", 1)],
)
def test_numbers_with_units_are_exact(text: str, value: int) -> None:
    """A count is what is written, rounded down, never a rounded float."""
    assert values.number("--x", text, values.COUNT_UNITS) == value


@pytest.mark.parametrize(
    ("text", "value"), [("4GiB", 4 * 2**30), ("1.5MB", 1_500_000), ("100", 100), ("7B", 7), ("0.5 KiB", 512)]
)
def test_bytes_with_units_are_exact(text: str, value: int) -> None:
    """Binary prefixes are powers of 1,024, decimal ones of 1,000; without a unit it is bytes."""
    assert values.number("--x", text, values.BYTE_UNITS) == value


def test_the_summary_of_a_score_comes_with_its_card(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """No score without what it is worth: on the terminal and in summary.json; outside the envelope it says so."""
    out = answer(capsys, *SEARCH, "--out", str(tmp_path))
    assert "prior (extrapolated)" in out
    assert "81.7 % [72.2, 89.8] of pairs of equal MACs in the right order on 100 networks of ViT-Bench-101" in out
    assert "looked at on this same table" in out
    assert json.loads((tmp_path / "summary.json").read_text())["cards"][0]["signal"] == "prior"


def test_a_name_leads_nowhere_else(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --out the results are in a folder below runs, whatever the space is called."""
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    text = (space_folder() / "tiny.yaml").read_text().replace("name: tiny", "name: ../../../outside")
    (inside / "s.yaml").write_text(text)
    answer(capsys, "search", "s.yaml", "--max-gmacs", "1", "--objectives", "macs", "--trials", "2")
    assert [path.name for path in (inside / "runs").iterdir()] == ["outside"]
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]


def test_a_study_of_other_objectives_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Also where their number differs, and the study stays what it was."""
    base = ["search", "tiny", "--max-gmacs", "1", "--trials", "2", "--out", str(tmp_path)]
    answer(capsys, *base, "--objectives", "macs")
    assert run([*base, "--objectives", "macs,params"]) == 2
    assert "belongs to another search: its objectives is" in capsys.readouterr().err
    answer(capsys, *base, "--objectives", "macs")


def test_results_that_cannot_be_written_are_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A folder where a file should be: the error names it."""
    (tmp_path / "trials.csv").mkdir()
    assert run([*SEARCH, "--out", str(tmp_path)]) == 2
    assert f"{tmp_path / 'trials.csv'}: cannot be written" in capsys.readouterr().err


def test_a_limit_beyond_64_bits_limits_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """However large, a limit is an integer and never overflows."""
    arguments = ("--max-gmacs", "1e60", "--objectives", "macs", "--trials", "2", "--out", str(tmp_path))
    assert "2 networks evaluated" in answer(capsys, "search", "tiny", *arguments)


def test_two_searches_into_one_folder_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The second one is told so, and the first one's study stays as it is."""
    from pvtsearch.cli.outputs import claimed

    with claimed(tmp_path):
        assert run([*SEARCH, "--out", str(tmp_path)]) == 2
    assert "another command is writing there" in capsys.readouterr().err
    assert not (tmp_path / "study.db").exists()


def test_a_closed_pipe_is_no_traceback() -> None:
    """`pvtsearch list | head -1` ends quietly."""
    command = f"{sys.executable} -m pvtsearch list | head -1"
    process = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)  # noqa: S602  a pipe
    assert "Traceback" not in process.stderr

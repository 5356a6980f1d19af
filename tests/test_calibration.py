"""Laws of calibrations: what a device with a known law shows is learned, kept, gone on with, and found again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from synthetic_device import Killed, blank, calibrated, subject_seconds, subjects, synthetic

from pvtsearch.analysis.calibration import Subject
from pvtsearch.analysis.calibration_document import read_calibration, write_calibration
from pvtsearch.analysis.calibration_files import file_name, find_calibration
from pvtsearch.analysis.roofline import roofline
from pvtsearch.analysis.timing import TimingSetting
from pvtsearch.calibrate.campaign import begun, calibrate
from pvtsearch.calibrate.finalists import measured_finalists
from pvtsearch.errors import InputError
from pvtsearch.presets import PRESETS
from pvtsearch.search.exact import exact_front
from pvtsearch.serialize_space import load_space

TINY = load_space("tiny")
SIZE = (64, 64)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished calibration of the synthetic device."""
    path = tmp_path_factory.mktemp("devices") / "latency-one.json"
    calibrated(TINY, SIZE, path)
    return path


def test_a_device_that_adds_over_pieces_is_learned(file: Path) -> None:
    """Networks held out are predicted within 1 % on average, and in their order, when nothing disturbs."""
    errors = read_calibration(file).errors
    assert errors is not None
    assert errors.count == 12
    assert errors.mape < 0.01
    assert errors.kendall > 0.95


def test_noise_is_averaged_out_and_drift_cancels(tmp_path: Path) -> None:
    """A machine twice as slow in every other group changes nothing; under 3 % of noise, means are 5 % off at most."""
    found = calibrated(TINY, SIZE, tmp_path / "c.json", noise=0.0, slow=lambda group: 1.0 + group % 2)
    assert found.errors is not None
    assert found.errors.mape < 0.01
    noisy = calibrated(TINY, SIZE, tmp_path / "n.json", noise=0.03)
    truth = [subject_seconds(row.subject, SIZE, "classification", 1) for row in noisy.of_role("held_out")]
    scale = noisy.anchor_seconds / subject_seconds(noisy.of_role("whole")[0].subject, SIZE, "classification", 1)
    errors = [abs(h.predicted_ns / 1e9 / t - 1) for h, t in zip(noisy.held_out, truth, strict=True)]
    assert 0.5 < scale < 2
    assert sum(errors) / len(errors) < 0.05


def test_the_model_is_made_anew_from_the_measurements(file: Path) -> None:
    """The file holds no model; two readings give the same nanoseconds, and what is written reads back equal."""
    one, other = read_calibration(file), read_calibration(file)
    assert one == other
    assert [h.predicted_ns for h in one.held_out] == [h.predicted_ns for h in other.held_out]
    assert "weights" not in json.loads(file.read_text())
    copied = file.with_name("copy.json")
    write_calibration(one, copied)
    assert copied.read_text() == file.read_text()
    copied.unlink()


@pytest.mark.parametrize("dies_at", [0, 1, 5])
def test_resumed_equals_uninterrupted(dies_at: int, tmp_path: Path) -> None:
    """Killed in any group, the same command leaves the same file."""
    path, whole = tmp_path / "latency-a.json", tmp_path / "latency-b.json"
    calibrated(TINY, SIZE, whole)
    with pytest.raises(Killed):
        calibrated(TINY, SIZE, path, dies_at=dies_at)
    again = begun(blank(TINY, SIZE), path)
    calibrate(again, subjects(TINY, SIZE), path, synthetic(SIZE))
    assert path.read_text() == whole.read_text()


def test_a_finished_calibration_measures_nothing_again(file: Path) -> None:
    """The same command on a finished file only reads it."""
    known = begun(blank(TINY, SIZE), file)
    assert calibrate(known, subjects(TINY, SIZE), file, synthetic(SIZE, dies_at=0)).measured == known.measured


def test_what_does_not_fit_is_left_out_and_the_rest_goes_on(tmp_path: Path) -> None:
    """Networks too large for the device are named, never tried again; the others are measured, and learned from."""
    path = tmp_path / "latency-a.json"
    slowest = sorted(subjects(TINY, SIZE), key=lambda each: subject_seconds(each, SIZE, "classification", 1))
    missing = set(slowest[-3:])
    found = calibrated(TINY, SIZE, path, fits=lambda subject: subject not in missing)
    assert set(found.left_out) == missing
    assert {row.subject for row in found.measured} == set(subjects(TINY, SIZE)) - missing
    assert found.errors is not None
    assert found.errors.mape < 0.01
    assert read_calibration(path) == replace(found, file=str(path))
    again = calibrate(begun(blank(TINY, SIZE), path), subjects(TINY, SIZE), path, synthetic(SIZE, dies_at=0))
    assert again.left_out == found.left_out


def test_what_fits_only_alone_is_measured_alone(tmp_path: Path) -> None:
    """A device that holds the anchor and two others measures all of them."""
    found = calibrated(TINY, SIZE, tmp_path / "latency-a.json", most_at_once=3)
    assert [row.subject for row in found.measured] == subjects(TINY, SIZE)
    assert found.left_out == ()


def test_without_room_for_the_anchor_nothing_is_measured(tmp_path: Path) -> None:
    """One line that says what to change, and no file."""
    with pytest.raises(InputError, match=r"does not fit in memory .*: give a smaller --batch-size"):
        calibrated(TINY, SIZE, tmp_path / "latency-a.json", fits=lambda _subject: False)
    assert not list(tmp_path.iterdir())


def test_another_setting_is_not_mixed_in(file: Path) -> None:
    """A file goes on with the same space, setting, input and device only."""
    fresh = blank(TINY, SIZE, batch_size=8)
    with pytest.raises(
        InputError, match="setting cpu, float32, batch 1, eager, this command's is cpu, float32, batch 8"
    ):
        begun(fresh, file)
    fresh = replace(blank(TINY, SIZE), circumstances={"device_name": "Another", "threads": 1, "torch": "2"})
    with pytest.raises(InputError, match="device_name Synthetic One, this command's is Another"):
        begun(fresh, file)


def test_a_calibration_is_found_by_what_it_is_of(file: Path) -> None:
    """Setting, task, input and kinds of pieces must fit; otherwise the command to run is named."""
    folder, setting = file.parent, TimingSetting()
    assert find_calibration(folder, setting, TINY, SIZE, "classification") == read_calibration(file)
    assert find_calibration(file, setting, TINY, SIZE, "classification") == read_calibration(file)
    for given, size, task, space in (
        (TimingSetting(batch_size=8), SIZE, "classification", TINY),
        (TimingSetting(dtype="bfloat16"), SIZE, "classification", TINY),
        (TimingSetting(execution="compiled"), SIZE, "classification", TINY),
        (TimingSetting(device="cuda"), SIZE, "classification", TINY),
        (setting, (96, 64), "classification", TINY),
        (setting, SIZE, "backbone", TINY),
        (setting, SIZE, "classification", load_space("pvt_v2")),
    ):
        with pytest.raises(
            InputError, match=f"make one with: pvtsearch calibrate {space.name} --device {given.device}"
        ):
            find_calibration(folder, given, space, size, task)


def test_a_space_far_from_what_was_measured_needs_a_calibration_of_its_own(file: Path) -> None:
    """Another space with the same stages will do; one whose widths are twice as large is refused, with both ranges."""
    setting = TimingSetting()
    other = replace(TINY, name="other")
    assert find_calibration(file, setting, other, SIZE, "classification") == read_calibration(file)
    stages = tuple(replace(each, embed_dim=tuple(2 * width for width in each.embed_dim)) for each in TINY.stages)
    with pytest.raises(InputError, match=r"latency-one.json is of tiny: embed_dim 32 to 192, measured are 16 to 96"):
        find_calibration(file, setting, replace(other, stages=stages), SIZE, "classification")


def test_two_that_fit_are_told_apart(file: Path, tmp_path: Path) -> None:
    """Of two devices the user names a file."""
    one = read_calibration(file)
    for number, name in enumerate(("One", "Two")):
        write_calibration(replace(one, circumstances={"device_name": name}), tmp_path / f"latency-{number}.json")
    with pytest.raises(InputError, match=r"latency-0.json \(One\), latency-1.json \(Two\): give one of these files"):
        find_calibration(tmp_path, TimingSetting(), TINY, SIZE, "classification")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 2}', '{"schema_version": 1, "peaks": null}'])
def test_other_files_are_refused_by_name(text: str, tmp_path: Path) -> None:
    """A file that holds no calibration is one line with its name."""
    path = tmp_path / "latency-x.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"latency-x\.json: no calibration can be read"):
        read_calibration(path)


def test_a_measurement_that_is_no_duration_is_refused(file: Path, tmp_path: Path) -> None:
    """Seconds of 0 or less are no measurement."""
    values = json.loads(file.read_text())
    values["measured"][0]["seconds"] = 0
    path = tmp_path / "latency-x.json"
    path.write_text(json.dumps(values))
    with pytest.raises(InputError, match="seconds must be 1e-12 to"):
        read_calibration(path)


def test_too_few_stages_make_no_model(file: Path) -> None:
    """A run that was killed early is no calibration yet: the command goes on with it."""
    few = read_calibration(file)
    few = replace(few, measured=few.measured[:8])
    with pytest.raises(InputError, match="8 stages measured, a model needs 12: run it to its end"):
        _ = few.model
    left_out = tuple(row.subject for row in read_calibration(file).measured[8:])
    with pytest.raises(InputError, match="parts did not fit, calibrate at a smaller batch size or input"):
        _ = replace(few, left_out=left_out).model


def test_references_are_measured_never_predicted(file: Path) -> None:
    """A ResNet's nanoseconds are those of the bench; a network that was not measured has none."""
    found = read_calibration(file)
    assert found.reference_ns(PRESETS["resnet18"].config) == pytest.approx(5e6, abs=1)
    assert found.reference_ns(PRESETS["resnet50"].config) is None


def test_finalists_are_measured_beside_the_anchor(file: Path) -> None:
    """A machine that is twice as slow today finds the same: times are ratios to the anchor's."""
    found = read_calibration(file)
    result = exact_front(TINY, ["params", "latency"], calibration=found)
    bench = synthetic(SIZE, slow=lambda _group: 2.0)
    finalists = measured_finalists(result, found, bench, 5)
    positions = [each.position for each in finalists]
    assert (positions[0], positions[-1]) == (0, len(result.front) - 1)
    for each in finalists:
        subject = Subject("held_out", result.front[each.position].config)
        assert each.measured_ns == pytest.approx(1e9 * subject_seconds(subject, SIZE, "classification", 1), rel=1e-6)
        assert each.predicted_ns == result.front[each.position].cost["latency_ns"]


def test_finalists_that_do_not_fit_are_left_out(file: Path) -> None:
    """The others keep their places on the front."""
    found = read_calibration(file)
    result = exact_front(TINY, ["params", "latency"], calibration=found)
    first = result.front[0].config.named("pvt")
    finalists = measured_finalists(result, found, synthetic(SIZE, fits=lambda each: each.config != first), 9)
    assert [each.position for each in finalists] == list(range(1, len(result.front)))


def test_the_roofline_is_below_what_is_predicted_of_its_own_device(file: Path) -> None:
    """Shares are the larger of both least times over the predicted one, and stages' seconds those of the model."""
    found = read_calibration(file)
    config = found.held_out[0].config
    rows = roofline(config, found)
    head = int(found.model.head_ns(config, config.stages[-1].embed_dim))
    assert sum(round(row.predicted_seconds * 1e9) for row in rows) + head == found.model.network_ns(config)
    for row in rows:
        assert row.achieved == max(row.macs / 1e11, row.bytes_moved / 1e10) / row.predicted_seconds
        assert (row.bound == "memory") == (row.intensity < 10)


def test_files_are_named_by_what_they_are_of() -> None:
    """One file per device, space, input and setting."""
    setting = TimingSetting(device="cuda", batch_size=64, dtype="bfloat16", execution="graph")
    assert (
        file_name("NVIDIA H200", "pvt_v2", setting, (224, 224), "classification")
        == "latency-nvidia_h200-pvt_v2-224x224-bfloat16-b64-graph.json"
    )

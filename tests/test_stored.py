"""A search's folder holds all that its page says: read back, the result is equal, and its page the same to the byte."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import get_args

import pytest
from results import compared_result, search_result

from pvtsearch.errors import InputError
from pvtsearch.records import Finalist, Prediction, SearchResult
from pvtsearch.report.files import write_outputs
from pvtsearch.report.search_page import search_page
from pvtsearch.report.stored import NAME, read_stored
from pvtsearch.trainings import Campaign, Epoch, Gain, Outcome, Role, Training, Verdict


def measured(result: SearchResult) -> SearchResult:
    """A result whose latencies are predicted, three of its front measured."""
    records = tuple(
        dataclasses.replace(r, cost={**r.cost, "latency_ns": r.cost["macs"] // 30 + 7}) for r in result.records
    )
    trials = {record.trial: record for record in records}
    front = tuple(
        dataclasses.replace(trials[record.trial], config=record.config) for record in result.front
    )  # fmt: skip
    prediction = Prediction("a.json", "abc", {"device_name": "X", "dtype": "float32", "batch_size": 1,
                            "execution": "eager"}, {}, {"resnet50": 135_400_000}, (10, 20))  # fmt: skip
    finalists = tuple(Finalist(p, front[p].cost["latency_ns"], front[p].cost["latency_ns"] + 5) for p in range(3))
    return dataclasses.replace(result, records=records, front=front, prediction=prediction, finalists=finalists)


def trained(result: SearchResult) -> SearchResult:
    """A result with trainings in every role, one of them checked a prediction."""
    curve = (Epoch(1, 3.1, 12.5), Epoch(2, 2.5, 31.25))
    trainings = tuple(
        Training(role, record.config, seed, Outcome(31.25, 640, curve, 9.5), (30.0, 2.5) if role == "chosen" else None)
        for seed, (role, record) in enumerate(zip(get_args(Role), result.front, strict=False))
    )
    verdict = Verdict(1.5, 2.5, (0.5, 0.2, 0.7), (Gain("reference", 2.0, 0.5, 3.5),), (30.0, 31.0))
    found = Campaign(trainings, result.front[0].config, (31.0, 1.0), "nothing promises more", verdict)
    return dataclasses.replace(result, campaign=found)


@pytest.mark.parametrize(
    "result",
    [search_result(0), search_result(40), compared_result(40), measured(search_result(40)), trained(search_result(40))],
)
def test_the_page_is_made_again_from_its_folder(result: SearchResult, tmp_path: Path) -> None:
    """Whatever a result holds: HTML, Markdown and figures are the same."""
    write_outputs(result, tmp_path)
    found = read_stored(tmp_path)
    assert found.study is None
    assert found.result.records == result.records
    assert found.result.campaign == result.campaign
    assert search_page(found.result) == search_page(result)
    assert (tmp_path / "report.html").read_text() == search_page(found.result).html


@pytest.mark.parametrize("damage", ["missing", "no JSON", "another version", "a table without numbers"])
def test_what_is_no_folder_of_a_search_is_refused(damage: str, tmp_path: Path) -> None:
    """In one line that names the folder."""
    write_outputs(search_result(3), tmp_path)
    path = tmp_path / NAME
    match damage:
        case "missing":
            path.unlink()
        case "no JSON":
            path.write_text("{")
        case "another version":
            path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 2'))
        case _:
            (tmp_path / "trials.csv").write_text("trial,macs,config\n0,many,{}\n")
    with pytest.raises(InputError, match=str(tmp_path)) as refused:
        read_stored(tmp_path)
    assert "\n" not in str(refused.value)

"""Laws of docs/examples: shells read them, the command line takes their commands, the job is YAML of the right kind."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
from ruamel.yaml import YAML

from pvtsearch.cli import app

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.sh"))
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
STAND_IN = '#!/bin/bash\nprintf "%s\\n" "$(basename "$0")" "$@" > "$CALLS/$(basename "$0")"\nexit "${STATUS:-0}"\n'


def run(script: Path, folder: Path, *arguments: str, **environment: str) -> dict[str, list[str]]:
    """Run a script with stand-ins for what it calls, which write down how; their arguments by name."""
    for name in ("srun", "scontrol", "torchrun", "nvidia-smi"):
        (folder / name).write_text(STAND_IN, encoding="utf-8")
        (folder / name).chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    subprocess.run(["bash", script, *arguments], cwd=folder, check=False,
                   env=os.environ | {"PATH": path, "CALLS": str(folder / "calls"), **environment})  # fmt: skip
    return {call.name: call.read_text().splitlines()[1:] for call in (folder / "calls").iterdir()}


def parsed(arguments: list[str]) -> dict[str, Any]:
    """The options of a pvtsearch command as the command line reads them."""
    command, *rest = arguments
    params: dict[str, Any] = COMMANDS[command].make_context(command, list(rest)).params
    return params


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "calls").mkdir()
    return tmp_path


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_shell_reads_them(script: Path) -> None:
    """No script has an error of syntax, and each says in its first lines how it is started."""
    subprocess.run(["bash", "-n", script], check=True)
    assert f"docs/examples/{script.name}" in script.read_text(encoding="utf-8")


def test_a_worker_of_an_array_joins_the_study_and_is_queued_again(folder: Path) -> None:
    """Every task runs the same command; one that was told to end is queued again, one that is done is not."""
    slurm = {"SLURM_SUBMIT_DIR": "/home/me", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3",
             "PVTSEARCH_DATA": "images"}  # fmt: skip
    done = run(EXAMPLES / "slurm-array.sh", folder, **slurm)
    assert set(done) == {"srun"}
    assert done["srun"][0] == "pvtsearch"
    options = parsed(done["srun"][1:])
    assert options["storage"] == "journal:/home/me/runs/accuracy/study.log"
    assert (options["data"], options["device"]) == ("images", "cuda")
    ended = run(EXAMPLES / "slurm-array.sh", folder, **slurm, STATUS="143")
    assert ended["scontrol"] == ["requeue", "7_3"]
    directives = re.findall(r"^#SBATCH --signal=TERM@(\d+)$", (EXAMPLES / "slurm-array.sh").read_text(), re.MULTILINE)
    assert [int(seconds) > 20 for seconds in directives] == [True]


def test_one_network_is_trained_by_all_processes_of_torchrun(folder: Path) -> None:
    """The arguments of the script are the network and its data, and torchrun runs a command that exists."""
    calls = run(EXAMPLES / "torchrun-training.sh", folder, "pvt_small", "images", GPUS="4")
    arguments = calls["torchrun"]
    assert arguments[:4] == ["--standalone", "--nproc-per-node=4", "-m", "pvtsearch"]
    options = parsed(arguments[4:])
    assert options["data"] == "images"


def test_pods_run_a_command_that_exists_and_hold_no_password() -> None:
    """The container's command is one of ours, its password comes from a secret, and bad input ends the job."""
    job = YAML(typ="safe").load((EXAMPLES / "kubernetes-job.yaml").read_text(encoding="utf-8"))
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    name, *arguments = [*container["command"], *container["args"]]
    assert name == "pvtsearch"
    options = parsed(arguments)
    assert options["storage"].startswith("postgresql+psycopg://pvtsearch@")
    assert "secretKeyRef" in container["env"][0]["valueFrom"]
    assert pod["terminationGracePeriodSeconds"] > 20
    assert {volume["name"] for volume in pod["volumes"]} == {mount["name"] for mount in container["volumeMounts"]}
    assert {rule["action"] for rule in job["spec"]["podFailurePolicy"]["rules"]} == {"Ignore", "FailJob"}
    assert shlex.join(container["args"]).count("--evaluation-") == 2

"""Laws of who imports what, seen in fresh interpreters."""

from __future__ import annotations

import subprocess
import sys

import pytest

import pvtsearch

HEAVY = ("torch", "torchvision", "fvcore", "optuna", "pandas", "plotly", "sqlalchemy")
CORE = ("errors", "geometry", "config", "presets", "cost", "space", "records", "analysis.closed_form", "analysis.table",
        "analysis.metrics", "analysis.conventions", "analysis.reproduction", "analysis.scaling", "analysis.formula",
        "analysis.parts", "analysis.sweep", "analysis.setting", "analysis.fused", "analysis.memory", "analysis.tapes",
        "analysis.block_tapes", "analysis.training", "analysis.peak",
        "analysis.profile", "search.pareto", "search.problem", "search.completions",
        "analysis.calibration", "analysis.calibration_document", "analysis.calibration_files", "analysis.roofline",
        "calibrate.campaign",
        "search.decode", "search.exact", "search.draws", "search.quality")  # fmt: skip
NEEDLESS = ("typer", "rich", "ruamel", "pandas", "optuna", "plotly", "jinja2", "moocore")


def modules_after(code: str) -> set[str]:
    """Top-level names of what a fresh interpreter has imported after running code."""
    code += "\nimport sys; print('\\n' + ' '.join(sorted({name.partition('.')[0] for name in sys.modules})))"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(process.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "code",
    [
        "import pvtsearch",
        "from pvtsearch.cli import run; assert run(['--help']) == 0",
        "from pvtsearch.cli import run; assert run(['profile', 'pvt_small', '--against', 'resnet50']) == 0",
        "from pvtsearch.cli import run; assert run(['profile', 'pvt_small', '--convention', 'paper_v2']) == 0",
        "import tempfile; from pvtsearch.cli import run; assert run(['paper', '--out', tempfile.mkdtemp()]) == 0",
        "import tempfile; from pvtsearch.cli import run; "
        "assert run(['compare', 'pvt_small', '--out', tempfile.mkdtemp() + '/page.html']) == 0",
        "from pvtsearch.cli import run; assert run(['formula', 'pvt_small']) == 0",
        "from pvtsearch.cli import run; assert run(['list']) == 0",
        "from pvtsearch.cli import run; assert run(['export', 'pvt_small']) == 0",
    ],
)
def test_what_answers_at_once_imports_nothing_heavy(code: str) -> None:
    """Importing, helping and profiling leave torch, Optuna, pandas and Plotly alone."""
    assert not modules_after(code) & set(HEAVY)


def test_an_analytic_profile_needs_no_numpy() -> None:
    """One network in closed form is Python's integers."""
    assert "numpy" not in modules_after("import pvtsearch; pvtsearch.profile(pvtsearch.load_config('pvt_small'))")


def test_the_core_needs_the_standard_library_and_numpy_only() -> None:
    """Configurations, closed forms and the solver run on a bare machine: everything else is blocked."""
    block = f"import sys\nfor name in {(*HEAVY, *NEEDLESS)!r}: sys.modules[name] = None\n"
    imports = "\n".join(f"import pvtsearch.{name}" for name in CORE)
    modules_after(block + imports)


def test_public_names_are_sorted_and_there() -> None:
    """`__all__` is sorted as people sort (constants, classes, functions), complete, and every name resolves."""
    constants = sorted(name for name in pvtsearch.__all__ if name.isupper())
    classes = sorted(name for name in pvtsearch.__all__ if name[0].isupper() and not name.isupper())
    functions = sorted(name for name in pvtsearch.__all__ if name[0].islower())
    assert pvtsearch.__all__ == constants + classes + functions
    assert set(pvtsearch.__all__) == set(pvtsearch._HOMES)
    for name in pvtsearch.__all__:
        assert getattr(pvtsearch, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        pvtsearch.nothing  # noqa: B018  the lookup is the test


def test_the_command_line_starts_without_numpy() -> None:
    """Only commands that compute on arrays load it."""
    assert "numpy" not in modules_after("from pvtsearch.cli import run; assert run(['--help']) == 0")

"""Laws of the documentation: its Python runs and prints what it says, its commands exist, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from pvtsearch.cli import app
from pvtsearch.serialize import load_config
from pvtsearch.serialize_space import load_space

ROOT = Path(__file__).parent.parent
PAGES = sorted(path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")) if path.is_file())
RUN = [path for path in PAGES if path.name in ("README.md", "python.md", "accuracy.md")]
BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```$(?:\n+^```text\n(?P<output>.*?)^```$)?", re.MULTILINE | re.DOTALL)
YAML = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_python_runs_and_prints_what_the_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The blocks of a page run one after the other, as they are read; a `text` block after one is what it prints."""
    monkeypatch.chdir(tmp_path)
    text = page.read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": "docs"}
    for block in BLOCK.finditer(text):
        lines_before = "\n" * text.count("\n", 0, block.start("code"))  # a failure points into the page
        exec(compile(lines_before + block["code"], str(page), "exec"), names)  # noqa: S102  our own pages
        printed = capsys.readouterr().out
        if block["output"] is not None:
            assert printed == block["output"]


WRITTEN = [(page, text) for page in PAGES for text in YAML.findall(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(("page", "text"), WRITTEN, ids=[name_of(page) for page, _text in WRITTEN])
def test_files_shown_can_be_read(page: Path, text: str, tmp_path: Path) -> None:
    """Every YAML shown is a legal configuration, or a space that is not empty."""
    path = tmp_path / "shown.yaml"
    path.write_text(text, encoding="utf-8")
    if "rules:" in text:
        space = load_space(path)
        assert space.size((space.image_size, space.image_size)).legal
    else:
        assert load_config(path)


def commands(text: str) -> Iterator[list[str]]:
    """The arguments of every pvtsearch command in the sh blocks of a page."""
    for block in SHELL.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars=True)
            words.whitespace_split = True
            simple: list[list[str]] = [[]]
            for word in words:
                if set(word) <= set("();<>|&"):
                    simple.append([])
                else:
                    simple[-1].append(word)
            yield from (part[1:] for part in simple if part and Path(part[0]).name == "pvtsearch")


SHOWN = [(page, arguments) for page in PAGES for arguments in commands(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(("page", "arguments"), SHOWN, ids=[f"{name_of(p)}: {shlex.join(a)}" for p, a in SHOWN])
def test_commands_parse(page: Path, arguments: list[str]) -> None:
    """Every command shown exists and takes the arguments it is shown with; it is parsed, not run."""
    command, *rest = arguments
    assert COMMANDS[command].make_context(command, rest)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_documented(command: str) -> None:
    """A command's section of docs/commands.md names each of its options."""
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    section = page.split(f"\n## {command}\n")[1].split("\n## ")[0]
    missing = [option for parameter in COMMANDS[command].params for option in parameter.opts
               if option.startswith("--") and f"`{option}" not in section]  # fmt: skip
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """A link between pages names a file that is there."""
    broken = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]
    assert not broken


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/decisions/*.md")), ids=name_of)
def test_decisions_are_short(page: Path) -> None:
    """A decision is one page of at most 30 lines, titled with its number."""
    lines = page.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith(f"# {page.name[:4]} ")
    assert len(lines) <= 30

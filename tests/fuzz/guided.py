"""Coverage-guided hostile inputs for one parser, by atheris (pip install atheris; Linux), from its legal content on.

    python tests/fuzz/guided.py "space" -max_total_time=60

What follows the parser's name goes to libFuzzer. An input that breaks the law of `hostile.verdict` is written to the
folder of the run as crash-..., and ends it.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))

with atheris.instrument_imports(include=["pvtsearch", "ruamel", "csv", "json"]):
    from hostile import PARSERS, SEEDS, fill_seeds, verdict


def main() -> None:
    """Fuzz the parser that is named, until libFuzzer ends."""
    name, *options = sys.argv[1:] or ["--help"]
    if name not in PARSERS:
        sys.exit(f"one of {', '.join(PARSERS)}, got '{name}'")
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as corpus, tempfile.TemporaryDirectory() as seeds:
        fill_seeds(Path(seeds))
        (Path(corpus) / "legal").write_bytes(SEEDS[name])

        def give(content: bytes) -> None:
            with tempfile.TemporaryDirectory() as folder:
                verdict(PARSERS[name], content, Path(folder))

        atheris.Setup([sys.argv[0], *options, corpus], give)
        atheris.Fuzz()


if __name__ == "__main__":
    main()

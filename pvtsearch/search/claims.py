"""Who evaluates what, where many workers write to one study: the rule of hash and rank.

A worker writes a trial that claims a configuration, then reads all trials. Storages number trials in the order in which
they can be read, so it sees every claim before its own. Of the claims on one configuration that are alive or finished
the lowest number holds; of the holders the first `total` evaluate. Dead claims do not count. It follows that no
configuration is finished twice, and no more than `total` are (docs/workers.md has the proof).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

Verdict = Literal["evaluate", "duplicate", "surplus"]


class Claim(NamedTuple):
    """A trial that is alive or finished: its number, and the hash of its configuration."""

    number: int
    hash: str


def verdict(claims: Iterable[Claim], mine: Claim, total: int) -> Verdict:
    """What becomes of my claim among those that are alive or finished, as they were read after it was written."""
    before = {claim.hash for claim in claims if claim.number < mine.number}
    if mine.hash in before:
        return "duplicate"
    return "evaluate" if len(before) < total else "surplus"

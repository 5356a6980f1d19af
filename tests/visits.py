"""Pages opened in a browser, for the tests of pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CHROMIUM = Path("/usr/bin/chromium")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CLIPBOARD = "Object.defineProperty(navigator, 'clipboard', {value: {writeText: async t => { window.copied = t; }}});"


class Visit:
    """An open page, and all that it asked for or complained about."""

    def __init__(self, browser: Any, path: Path, *, width: int = 1280, script: str = "", scheme: str = "light") -> None:
        self.uri = path.as_uri()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page.on("request", lambda r: self.requests.append(r.url))
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.page.on("dialog", self._refuse)
        if script:
            self.page.add_init_script(script)
        self.page.goto(self.uri)
        self.page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)

    def _refuse(self, dialog: Any) -> None:
        self.complaints.append(dialog.message)
        dialog.dismiss()

    def close(self) -> None:
        """Close the page, which asked for no file but its own and complained about nothing."""
        self.page.close()
        assert self.complaints == []
        assert [url for url in self.requests if not url.startswith(("data:", "blob:"))] == [self.uri]

    def copied(self) -> str:
        """What was copied last, where the page was opened with `CLIPBOARD`."""
        self.page.wait_for_function("window.copied !== undefined")
        text: str = self.page.evaluate("(() => { const t = window.copied; window.copied = undefined; return t; })()")
        return text

    def drawn(self) -> dict[str, int]:
        """Points in every figure."""
        found: dict[str, int] = self.page.evaluate(
            "Object.fromEntries([...document.querySelectorAll('.js-plotly-plot')]"
            ".map(d => [d.id, d.data.reduce((n, t) => n + (t.x || []).length, 0)]))"
        )
        return found

    def overflow(self) -> int:
        """By how much the page is wider than the window."""
        found: int = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return found

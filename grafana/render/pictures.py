"""Draw the dashboards: ``make pictures``. They show what a person sees; they do not prove that Grafana loads them.

Two weeks of a simulated desk are written into a Prometheus, which answers every query of every panel, and Grafana's own panel
components draw the answers in a browser without a window.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from board_queries import answers, boards
from two_weeks import two_weeks

if TYPE_CHECKING:
    from prometheus_server import Prometheus

HERE: Final = Path(__file__).parent
PICTURES: Final = HERE.parents[1] / "docs/images"
STEP: Final = 3600.0
"""Seconds from a point of a graph to the next: some three hundred points."""
WIDTH: Final = 24 * 66 + 16
"""Pixels: 24 columns."""
_PAGE: Final = """<!doctype html>
<meta charset="utf-8">
<link rel="stylesheet" href="page.css">
<div id="root"></div>
<script src="board.js"></script>
<script src="page.js"></script>
"""
_ASSETS: Final = ("svg", "ttf", "woff", "woff2", "png")


def main() -> None:
    for tool in ("node", "npm", "chromium"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is missing (Debian: apt install nodejs npm chromium)")
    if not (HERE / "node_modules/esbuild/bin/esbuild").exists():
        _run("npm", "ci", "--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund")
    _run("node", "node_modules/esbuild/install.js")
    with tempfile.TemporaryDirectory(prefix="breachwatch-pictures-") as name:
        folder = Path(name)
        bundle = ["page.jsx", "--bundle", f"--outfile={folder}/page.js", "--jsx=automatic", "--minify", "--log-level=error"]
        bundle += ["--define:global=window", '--define:process.env.NODE_ENV="production"']
        _run(
            "node_modules/.bin/esbuild",
            *bundle,
            *(f"--loader:.{kind}=dataurl" for kind in _ASSETS),
        )
        PICTURES.mkdir(exist_ok=True)
        with two_weeks() as prometheus:
            for board in boards():
                _draw(_asked(board, prometheus), folder)


def _asked(board: dict[str, Any], prometheus: Prometheus) -> dict[str, Any]:
    """A dashboard, and by panel the answers to its queries."""
    found = {
        panel["id"]: [answers(prometheus, target, STEP) for target in panel["targets"]]
        for panel in board["panels"]
        if "targets" in panel
    }
    return {"board": board, "answers": found, "began": prometheus.began, "ended": prometheus.ended, "step": STEP}


def _draw(asked: dict[str, Any], folder: Path) -> None:
    board = asked["board"]
    (folder / "board.js").write_text(f"window.BOARD = {json.dumps(asked)}\nDate.now = () => window.BOARD.ended * 1000", "utf-8")
    (folder / "index.html").write_text(_PAGE, "utf-8")
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    picture = PICTURES / f"{board['uid']}.png"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--hide-scrollbars"]
    flags += [f"--user-data-dir={folder}/browser", f"--window-size={WIDTH},{bottom * 38 + 60}", "--virtual-time-budget=20000"]
    _run("chromium", *flags, f"--screenshot={picture}", f"file://{folder}/index.html")
    _run("node", "shrink.mjs", str(picture))
    print(f"{picture}: {picture.stat().st_size / 1e3:.0f} kB")


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)  # noqa: S603  all of it is ours
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()

"""Draw the dashboards: ``make pictures``. They show what a person sees; they do not prove that Grafana loads them.

Two boards show two weeks of a simulated desk (``fortnight``). The detector's board shows a real worker on a real broker, whose
CPU time, memory and durations a simulation does not have. Every query of every panel is sent to Prometheus, and Grafana's own
panel components draw the answers in a headless browser.
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
from fortnight import fortnight
from scraped import scraped_run

if TYPE_CHECKING:
    from scraped import Prometheus

HERE: Final = Path(__file__).parent
PICTURES: Final = HERE.parents[1] / "docs/images"
SECONDS: Final = 100
STEP: Final = 2.0
HOUR: Final = 3600.0
"""Seconds between the points of a graph over two weeks."""
WIDTH: Final = 24 * 66 + 16
"""Pixels: 24 columns."""
_PAGE: Final = """<!doctype html>
<meta charset="utf-8">
<link rel="stylesheet" href="page.css">
<div id="root"></div>
<script src="board.js"></script>
<script>const now = Date.now, ahead = BOARD.ended * 1000 - now(); Date.now = () => now() + ahead</script>
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
        detector = [board for board in boards() if board["uid"] == "sla-detector"]
        with fortnight() as prometheus:
            asked = [_asked(board, prometheus, HOUR) for board in boards() if board not in detector]
        with scraped_run(SECONDS, quick=True) as prometheus:
            _look_at_the_busiest_moment(prometheus)
            asked += [_asked(board, prometheus, STEP) for board in detector]
        for one in asked:
            _draw(one, folder)


def _look_at_the_busiest_moment(prometheus: Prometheus) -> None:
    """End the run, as far as the pictures go, when most was about to break: the end of a feed is a quiet evening."""
    soon, overdue = (f'sum(sla_open_commitment_remaining_seconds_bucket{{le="{le}"}})' for le in ("3600.0", "0.0"))
    # A multiple of the step, so that graphs and tables end at the same instant.
    middle = prometheus.began + STEP * round((prometheus.ended - prometheus.began) / 2 / STEP)
    parameters = {"start": middle, "end": prometheus.ended, "step": STEP}
    (series,) = prometheus.ask("query_range", query=f"{soon} - {overdue}", **parameters)["result"]
    prometheus.ended = max(series["values"], key=lambda point: float(point[1]))[0]


def _asked(board: dict[str, Any], prometheus: Prometheus, step: float) -> dict[str, Any]:
    """A dashboard, and by panel the answers to its queries."""
    found = {
        panel["id"]: [answers(prometheus, target, step) for target in panel["targets"]]
        for panel in board["panels"]
        if "targets" in panel
    }
    return {"board": board, "answers": found, "began": prometheus.began, "ended": prometheus.ended, "step": step}


def _draw(asked: dict[str, Any], folder: Path) -> None:
    board = asked["board"]
    (folder / "board.js").write_text(f"window.BOARD = {json.dumps(asked)}", "utf-8")
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

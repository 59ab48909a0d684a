"""Write the dashboards: ``python grafana/build.py``. The JSON is committed, and a test says whether it is current."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import detector
import overview
import right_now

FOLDER: Final = Path(__file__).parent / "dashboards"


def texts() -> dict[Path, str]:
    """Each dashboard file and what should be in it."""
    boards = (overview.board(), right_now.board(), detector.board())
    return {FOLDER / f"{one['uid']}.json": json.dumps(one, indent=2) + "\n" for one in boards}


if __name__ == "__main__":
    for path, text in texts().items():
        path.write_text(text, "utf-8")

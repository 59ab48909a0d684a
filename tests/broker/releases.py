"""Wheels of breachwatch as releases have them: built from this source under another version, and installed side by side."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

from stream import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]


def installed(folder: Path, version: str, changes: Mapping[str, tuple[str, str]] | None = None) -> Path:
    """Build a wheel and install it; the folder to run ``python -m stream`` in.

    ``changes``: by file, a text of the source and what this release has instead.
    """
    source = folder / f"source-{version}"
    shutil.copytree(ROOT / "stream", source / "stream", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source)
    own = {"stream/__init__.py": (f'"{__version__}"', f'"{version}"'), **(changes or {})}
    for name, (old, new) in own.items():
        text = (source / name).read_text("utf-8")
        assert old in text, f"{name} does not have {old!r} any more"
        (source / name).write_text(text.replace(old, new), "utf-8")
    target = folder / version
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "dist"]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    (wheel,) = (source / "dist").glob("*.whl")
    with ZipFile(wheel) as archive:  # as an installer does with a wheel of pure Python
        archive.extractall(target)
    return target

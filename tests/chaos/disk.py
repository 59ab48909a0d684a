"""The broker's disk, and no room on it: a small one of its own where this process may mount one, else a bound on its files."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_SIZE: Final = 512 * 1024 * 1024
_BLOCK: Final = bytes(1024 * 1024)


class Disk:
    """A folder for the broker's data inside a ``with`` block; afterwards it is gone."""

    def __init__(self, folder: Path) -> None:
        self.data: Final = folder
        self._mounted = False

    def __enter__(self) -> Self:
        self.data.mkdir()
        if os.geteuid() == 0:
            mount = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(self.data)]
            self._mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._mounted:
            subprocess.run(["umount", "-l", str(self.data)], check=True)

    def fill(self, pid: int) -> None:
        """From now on the broker, of this process id, can write nothing, or next to nothing."""
        if not self._mounted:
            # What it has open already is longer than this.
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
            return
        with self._ballast.open("wb", buffering=0) as ballast:
            # The broker writes meanwhile, so that there is no telling how much will fill it.
            while True:
                try:
                    ballast.write(_BLOCK)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    return

    def free(self) -> None:
        """There is room again."""
        self._ballast.unlink(missing_ok=True)

    @property
    def _ballast(self) -> Path:
        return self.data / "ballast"

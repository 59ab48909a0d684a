"""A child process that cannot outlive this one, not even when this one is killed."""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any


class ChildGuard:
    """A shell that kills the child as soon as this process is gone, however it went: then the shell's input ends.

    ``remove``: a folder that then goes too.
    The kernel's own parent-death signal would not do: it fires when the *thread* that started the child ends.
    """

    def __init__(self, child: subprocess.Popen[Any], *, remove: Path | None = None) -> None:
        orders = f"read -r _; kill -9 {child.pid}"
        if remove is not None:
            orders += f"; sleep 1; rm -rf {shlex.quote(str(remove))}"
        self._shell = subprocess.Popen(  # noqa: S603  our own text, the one name in it quoted
            ["/bin/sh", "-c", orders],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def release(self) -> None:
        """Let go. Once the child has been waited for, its process id may become somebody else's: not later than that."""
        self._shell.kill()
        self._shell.communicate()

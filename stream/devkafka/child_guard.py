"""Ensures that a child process does not outlive this process, even if this process is killed."""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any


class ChildGuard:
    """A shell that kills the child when this process has ended for any reason, because the shell's input then ends.

    The shell also deletes the folder ``remove``. The kernel's parent-death signal is not suitable: it fires when the *thread*
    that started the child ends.
    """

    def __init__(self, child: subprocess.Popen[Any], *, remove: Path | None = None) -> None:
        script = f"read -r _; kill -9 {child.pid}"
        if remove is not None:
            script += f"; sleep 1; rm -rf {shlex.quote(str(remove))}"
        self._shell = subprocess.Popen(  # noqa: S603  our own script, and the only name in it is quoted
            ["/bin/sh", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def release(self) -> None:
        """Stop guarding. Call it before waiting for the child: after the wait, another process may get the child's id."""
        self._shell.kill()
        self._shell.communicate()

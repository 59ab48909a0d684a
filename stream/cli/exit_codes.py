"""The exit codes of all commands, and what each of them means."""

from __future__ import annotations

import signal
from typing import Final

from stream.runtime.abort import EXIT_STATUS

FAILED: Final = 1
WRONG: Final = 2
DIFFERENT: Final = 3
REFUSED: Final = 4
BUG: Final = EXIT_STATUS
INTERRUPTED: Final = 128 + signal.SIGINT
NO_READER: Final = 128 + signal.SIGPIPE
TERMINATED: Final = 128 + signal.SIGTERM

MEANINGS: Final[dict[int, str]] = {
    0: "Success. A service, such as `worker` or `gateway`, also ends with 0 when Ctrl-C or SIGTERM stops it.",
    FAILED: "The input has errors, a test fails, or Kafka, a helpdesk or a file could not be used. "
    "Standard error names the reason.",
    WRONG: "The command line, the settings, or a file that defines the work (stories, mapping, rules) is wrong, "
    "or a worker refuses to start. Running the same command again does not help.",
    DIFFERENT: "`diff`: there are differences. `deploy`, `restore` and `rebuild` with `--dry-run`: it would be done. "
    "`erase`: it is published, and workers have not processed it yet.",
    REFUSED: "`diff`: there are differences, and the step has problems. `deploy`: it was refused.",
    BUG: "A bug in breachwatch. The traceback is on standard error; for a worker, it is in the log.",
    INTERRUPTED: "Ctrl-C ended the command before it was done. It reports what was done.",
    NO_READER: "The reader of standard output has ended first, as `head` does.",
    TERMINATED: "SIGTERM ended the command before it was done.",
}

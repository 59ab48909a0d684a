"""A real Redmine 5, from Debian's packages, with SQLite."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.desks.running import HERE, Desk, Rest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PACKAGES: Final = ("redmine", "redmine-sqlite", "puma")
_HOME: Final = Path("/usr/share/redmine")
_EMPTY: Final = Path("/var/lib/dbconfig-common/sqlite3/redmine/instances/default/redmine_default")
"""The database that the package has set up, with Redmine's default statuses and roles."""


def installed() -> bool:
    return _EMPTY.exists() and shutil.which("puma") is not None


class Redmine(Desk):
    """``as_user`` asks its API. It sends nothing by itself."""

    def environment(self) -> Mapping[str, str]:
        return {
            "RAILS_ENV": "production",
            "REDMINE_INSTANCE": "default",
            "DATABASE_URL": f"sqlite3:{self.folder / 'redmine.sqlite'}",
            "RAILS_LOG_TO_STDOUT": "1",
        }

    def prepare(self) -> None:
        shutil.copyfile(_EMPTY, self.folder / "redmine.sqlite")
        self.run("ruby", "bin/rails", "runner", str(HERE / "redmine/seed.rb"))

    def command(self) -> Sequence[str]:
        return ["puma", "-e", "production", "-b", f"tcp://127.0.0.1:{self.port}", "-t", "1:3", "config.ru"]

    def working_folder(self) -> Path:
        return _HOME

    def as_user(self, name: str) -> Rest:
        return Rest(self.url, {"X-Redmine-API-Key": key(name)})


def key(name: str) -> str:
    """The API key of a user."""
    return name[0] * 40

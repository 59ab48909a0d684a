"""The releases of the data that deadlines depend on besides the policies: time zones and public holidays."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

DATA_PACKAGES: Final = ("tzdata", "holidays")


def data_releases() -> dict[str, str]:
    """The installed release of each package."""
    return {package: version(package) for package in DATA_PACKAGES}

"""breachwatch: the streaming SLA breach detector. The import package of the distribution ``breachwatch``."""

from pathlib import Path

from stream.compiled import use

__version__ = "0.1.0"

use(Path(__file__).parents[1])

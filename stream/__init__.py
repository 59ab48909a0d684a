"""breachwatch: the streaming SLA breach detector. The import package of the distribution ``breachwatch``."""

__version__ = "0.1.0"

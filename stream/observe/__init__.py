"""The metrics and the pages."""

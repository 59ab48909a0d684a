"""YAML documents: the only YAML reader of the package, and the combinators that check its data."""

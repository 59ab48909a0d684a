"""YAML documents: the only reader of YAML in the package, and the combinators that check what it read."""

"""What is durable of a partition: store, changelog, checkpoints and outputs; and backups, restoring, rebuilding, moving."""

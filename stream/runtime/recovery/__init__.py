"""What survives a crash, and how a worker takes a partition over."""

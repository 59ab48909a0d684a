"""HTTP in, Kafka out: what helpdesks send becomes ticket events."""

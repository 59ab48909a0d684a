"""Prometheus metrics of a worker: their catalogue, their series, and the code that updates them."""

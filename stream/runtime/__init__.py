"""The worker: Faust, Kafka, the commit cycle and the timers."""

"""The memory of a worker for one partition, and the task that processes it."""

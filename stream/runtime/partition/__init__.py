"""What a worker holds of one partition, and the task that processes it."""

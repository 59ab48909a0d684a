"""The worker: its Faust app, the takeover of partitions, timers and settings; and what other services share with it."""

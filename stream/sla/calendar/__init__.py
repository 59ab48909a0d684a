"""Business time: weeks, zones, holidays, and how much of it lies between two instants."""

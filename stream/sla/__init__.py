"""The pure core: what was promised, and whether it was kept.

No clock, no I/O, no framework: time is an argument. Two entrances (``history.apply``, ``history.wake``), one exit (``Step``).
Every instant in here is an ``int`` of microseconds since the Unix epoch, UTC; every length an ``int`` of microseconds.
"""

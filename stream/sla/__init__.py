"""The pure core: what was promised, and whether it was kept.

No clock, no I/O, no framework: time is an argument. It has three entrances (``Engine.apply``, ``Engine.wake``,
``Engine.confirm``) and one exit (``Step``).
Every instant in here is an ``int`` of microseconds since the Unix epoch, UTC; every length an ``int`` of microseconds.
"""

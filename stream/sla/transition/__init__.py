"""The effect of one event, or of the passing of time, on a ticket, and the effects that it emits."""

"""How one event, or the passing of time, changes a ticket and which effects that emits."""

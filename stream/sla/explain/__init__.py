"""Why a deadline is what it is."""

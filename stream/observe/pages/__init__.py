"""Status pages of a worker and its tickets, as HTML and as JSON."""

"""Feeds: what the payloads of a helpdesk mean, and whether a request is signed. Pure, except that mapping files are read."""

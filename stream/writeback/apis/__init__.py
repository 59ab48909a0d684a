"""The API of each helpdesk: what can be written to it, and how. One module for each."""

"""The API of each helpdesk: what it can be told, and how. One module for each."""

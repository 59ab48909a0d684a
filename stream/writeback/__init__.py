"""Effects in, helpdesk APIs out: the state of a ticket in the fields and tags of the helpdesk that has it."""

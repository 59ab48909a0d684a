"""A ticket's state to bytes and back."""

"""What the policies promise, and to whom."""

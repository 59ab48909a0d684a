"""What an operator sees: metrics and pages."""

"""What an agent sees of a query."""

"""What happened: queries, outcomes, and the table of both."""

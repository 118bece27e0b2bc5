"""What an outcome is worth: forms of the reward, scorers, and every reward of a table."""

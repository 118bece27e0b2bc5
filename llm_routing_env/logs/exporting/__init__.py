"""Logs in other libraries' formats: Minari, Open Bandit Pipeline, Vowpal Wabbit."""

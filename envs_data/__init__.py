"""Data that ships with the package: pools, queries and outcome tables."""

"""The LLMs: prices, endpoints, how to serve them, and how they slow under load."""

"""The everyday pool: nano's four LLMs, and one that was not made for it, SmolLM2-135M-Instruct."""

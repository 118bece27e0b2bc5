"""`python -m llm_routing_env`: the same as `pickllm`."""

from llm_routing_env.cli import main

main()

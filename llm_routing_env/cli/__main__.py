"""`python -m llm_routing_env.cli`: the same as `pickllm`."""

from llm_routing_env.cli import main

main()

"""Kinds of files, one module each; the command `pickllm import NAME` is named after the preset."""

from llm_routing_env.importing.presets import (
    alpaca_eval,
    helm,
    inspect_ai,
    lm_eval,
    long,
    openai_batch,
    routerarena,
    routerbench,
)

_MODULES = (long, lm_eval, helm, inspect_ai, routerarena, alpaca_eval, routerbench, openai_batch)
PRESETS = {module.PRESET.name: module.PRESET for module in _MODULES}

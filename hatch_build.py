"""Refuses to build where git wrote the package's symbolic links as text files, as it does on Windows unless told."""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):
    """The check; Hatchling finds it by its name."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Check the links of a clone; in an sdist they are folders."""
        for name in ("agents", "data"):
            if not Path(self.root, "llm_routing_env", name).is_dir():
                sys.exit(
                    f"llm_routing_env/{name} is no link to a folder: clone with `git clone -c core.symlinks=true`, or "
                    "install an sdist or a wheel."
                )

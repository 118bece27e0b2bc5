"""Where on a user's disk things are kept that can be made again."""

import os
from pathlib import Path

from platformdirs import user_cache_dir

CACHE_DIR_VARIABLE = "PICKLLM_CACHE_DIR"


def cache_dir(part: str) -> Path:
    """Return the folder of one kind of thing: in $PICKLLM_CACHE_DIR, else in the user's cache directory."""
    return Path(os.environ.get(CACHE_DIR_VARIABLE) or user_cache_dir("pickllm")) / part

"""Where on a user's disk things are kept that can be made again."""

import os
from pathlib import Path

from platformdirs import user_cache_dir

CACHE_DIR_VARIABLE = "PICKLLM_CACHE_DIR"


def cache_dir(part: str) -> Path:
    """Return the folder of one kind of thing: in $PICKLLM_CACHE_DIR, else in the user's cache directory.

    Raises:
        OSError: It cannot be made; says what moves it.
    """
    return made(Path(os.environ.get(CACHE_DIR_VARIABLE) or user_cache_dir("pickllm")) / part, CACHE_DIR_VARIABLE)


def made(folder: Path, variable: str) -> Path:
    """Return a folder, made where it was not.

    Args:
        folder: It.
        variable: The environment variable that moves it.

    Raises:
        OSError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"{folder} cannot be made ({error.strerror}): set ${variable} to a folder that can.") from error
    return folder

"""Files, and folders of files, that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield the path of an empty file to write, which takes the place of `path` once the block ends well.

    After an error, or a crash, what was there before is as it was. Where `path` is a link, it stays one, and what it
    leads to is replaced. The new file has a name that nobody can foresee, so no link lies in wait for it. The block may
    put a folder of files in the place of the empty file, where there was nothing before.

    Raises:
        OSError: The file cannot be made, or something that is no file is in the way, or anything is that of a folder.
    """
    target = Path(os.path.realpath(path))
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
    if mode is not None and not target.is_file():
        raise FileExistsError(f"{path} cannot be written: it exists and is no file.")
    new = target.with_name(f".{target.name[:40]}.{secrets.token_hex(8)}.partial")
    try:
        with open(os.open(new, _NEW, 0o666), "wb") as empty:
            if mode is not None:
                os.fchmod(empty.fileno(), mode)
        yield new
        for written in new.iterdir() if new.is_dir() else (new,):
            with open(written, "r+b") as file:
                os.fsync(file.fileno())
        new.replace(target)
    except BaseException:
        if new.is_dir():
            shutil.rmtree(new)
        new.unlink(missing_ok=True)
        raise

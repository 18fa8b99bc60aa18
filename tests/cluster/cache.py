"""What is made once and kept outside of the checkout.

Promise: it appears there whole or not at all, and is never made twice at once.
"""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path


def folder() -> Path:
    """Where all of it is."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "camera-ingest"


def made_once(target: Path, make: Callable[[Path], None]) -> Path:
    """The file or folder, made now if it is missing.

    Args:
        target: Below `folder`. Nothing else in the same folder is made meanwhile.
        make: Makes it at another path, which does not exist; what it raises leaves no target.
    """
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process may make it: then it is there after
        if not target.exists():
            part = target.with_name(f"{target.name}.part")
            shutil.rmtree(part, ignore_errors=True)
            part.unlink(missing_ok=True)
            make(part)
            part.rename(target)
    return target

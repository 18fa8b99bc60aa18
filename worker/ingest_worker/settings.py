"""What a worker is told at its start."""

from typing import Annotated

from msgspec import Meta, Struct


class WorkerSettings(Struct, frozen=True, kw_only=True):
    """Read once, in `main`."""

    render_threads: Annotated[
        int, Meta(ge=1, le=64, description="Threads that make JPEGs and look at pushed frames.")
    ] = 2
    connects: Annotated[
        int, Meta(ge=1, le=1000, description="Sessions that may connect at once.")
    ] = 32

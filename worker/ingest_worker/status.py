"""What a worker says of a camera, from what it sees: `status.stream` and two conditions. Pure."""

from typing import Final, Literal

from ingest_core import model
from ingest_core.events import rfc3339
from ingest_core.model import Camera, Condition, ConnectedReason, Stream
from ingest_worker.feed import Feed, State

_TYPES: Final = (model.CONNECTED, model.READY)  # in the order of `conditions`


def conditions(state: State, generation: int) -> tuple[Condition, Condition]:
    """Connected and Ready, from what the worker sees."""
    status: Literal["True", "False"] = "True" if state.connected else "False"
    unknown = state.reason in (ConnectedReason.CONNECTING, ConnectedReason.WAITING_FOR_PUSH)

    def condition(type_: str) -> Condition:
        return Condition(
            type=type_,
            status="Unknown" if unknown and type_ == model.CONNECTED else status,
            reason=state.reason.value,
            message=state.message,
            observed_generation=generation,
        )

    return condition(model.CONNECTED), condition(model.READY)


def stream(feed: Feed, worker: str) -> Stream:
    """The `status.stream` of a camera."""
    state, size = feed.state, feed.size
    return Stream(
        worker=worker,
        epoch=feed.epoch,
        codec=feed.codec.name if feed.codec else None,
        width=size[0] if size else None,
        height=size[1] if size else None,
        connected_time=rfc3339(state.since) if state.connected else None,
        sessions=feed.sessions,
    )


Transition = tuple[object, ...]


def transition(report: tuple[Stream, tuple[Condition, ...]]) -> Transition:
    """What must differ for a report to be worth writing: a retry that fails alike is none."""
    now, told = report
    facts = (now.epoch, now.codec, now.width, now.height, now.connected_time)
    return facts, *((one.status, one.reason, one.message, one.observed_generation) for one in told)


def said(camera: Camera) -> Transition | None:
    """The same of what stands in a camera's status.

    None: nobody reported under its assignment yet.
    """
    now = camera.status.stream
    if now is None or now.epoch != camera.epoch:
        return None
    by_type = {one.type: one for one in camera.status.conditions}
    return transition((now, tuple(by_type[one] for one in _TYPES if one in by_type)))

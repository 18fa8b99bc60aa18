"""Tell people of connects, disconnects, and why nothing connects, as Events of the Camera."""

from collections.abc import Callable

from ingest_core.errors import Failure
from ingest_core.kube.events import Recorder
from ingest_core.kube.resources import CAMERAS
from ingest_core.model import Camera, Stream
from ingest_worker.feed import State


def noticing(recorder: Recorder) -> Callable[[Camera, Stream, State], None]:
    """What a Worker tells of cameras that are connected, or no more, or cannot be at all.

    What was asked for is no news: a camera that was suspended, edited or given to another worker.
    An Event about a camera that was never connected has the failure as its reason.
    """

    def notice(camera: Camera, stream: Stream, state: State) -> None:
        if state.connected:
            picture = f"{stream.codec}, {stream.width}x{stream.height}"
            recorder.tell(CAMERAS, camera.metadata, "Normal", "Connected", picture)
        elif isinstance(state.reason, Failure) and stream.sessions:
            why = f"{state.reason}: {state.message}"
            recorder.tell(CAMERAS, camera.metadata, "Warning", "Disconnected", why)
        elif isinstance(state.reason, Failure):
            recorder.tell(CAMERAS, camera.metadata, "Warning", state.reason, state.message)

    return notice

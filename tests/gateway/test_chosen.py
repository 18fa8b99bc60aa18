"""What somebody chose is all of a spec that is shown, wherever it was read from."""

import json
from typing import Any

import msgspec
import pytest

from ingest_core.model import Camera, CameraSpec
from ingest_gateway.bodies import said
from ingest_gateway.chosen import chosen
from tests.fakes.whole_objects import defaulted

URL = "rtsp://10.0.0.7/x"
STORED = defaulted(URL)
MASK = {"name": "tree", "polygon": [{"xPermille": x, "yPermille": 0} for x in (0, 1, 2)]}


def read(**changed: object) -> CameraSpec:
    return msgspec.convert({**STORED, **changed}, CameraSpec)


def test_of_what_the_api_server_wrote_by_itself_nothing_is_shown() -> None:
    assert chosen(read()) == {"source": {"rtsp": {"url": URL}}}
    body = said(msgspec.convert({"metadata": {"name": "lobby"}, "spec": STORED}, Camera))
    assert body["spec"] == {"source": {"rtsp": {}}}


@pytest.mark.parametrize(
    "choice",
    [
        {"poolRef": {"name": "other"}},
        {"buffer": {"maxBytes": 65536}},
        {"motion": {"masks": [MASK]}},
        {"decode": "Keyframes", "suspend": True, "weight": 7},
        {"cameraId": "cam_1"},
        {"source": {"push": {"maxFPS": 5, "tokenSecretRef": {"name": "s", "key": "token"}}}},
        {"source": {"rtsp": {"url": URL, "tls": {"insecureSkipVerify": True}}}},
    ],
)
def test_what_somebody_chose_is_shown_as_they_said_it(choice: dict[str, Any]) -> None:
    spec = read(**choice)
    shown = json.loads(json.dumps(chosen(spec)))
    assert {key: shown[key] for key in choice} == choice
    assert shown.keys() == {"source", *choice}
    assert msgspec.convert(shown, CameraSpec) == spec

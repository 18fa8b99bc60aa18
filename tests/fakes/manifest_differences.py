"""Where standalone and the API server differ about a manifest of a Camera, and why they may."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.fakes.manifests import MASKS, RTSP, SECRET, URL


@dataclass(frozen=True, slots=True)
class Different:
    """What one of the two takes and the other does not.

    Attributes:
        standalone, cluster: Is it taken there?
        reason: Why that is so, and may be.
    """

    path: str
    value: object
    standalone: bool
    cluster: bool
    reason: str


_ENUMERATION: Final = "the API server quotes what is in the place of one of a few words"
_NULL: Final = "to Kubernetes a null is a field that is not given; in a file it is a slip"

QUOTED: Final[Mapping[tuple[str, str], str]] = {
    ("spec.decode", f"rtsp://a b:{SECRET}"): _ENUMERATION,
    ("spec.decode", f"admin:{SECRET}@h"): _ENUMERATION,
    (f"{RTSP}.transport", f"rtsp://u:{SECRET}@h"): _ENUMERATION,
    ("metadata.name", f"rtsp://u:{SECRET}@h"): "no CRD has a say in how a bad name is told",
    ("kind", f"rtsp://u:{SECRET}@h"): "it is told before any CRD is looked at",
    ("spec.cameraId", f"rtsp://u:{SECRET}@h"): "an id is shown, so that one sees what is wrong",
    ("spec.poolRef.name", f"rtsp://u:{SECRET}@h"): "a name is shown, the same",
}
"""Logins in the wrong place that the API server quotes, to whoever sent them. We never do."""

DIFFERENT: Final[Sequence[Different]] = (
    Different("spec.suspend", None, standalone=False, cluster=True, reason=_NULL),
    Different("spec.poolRef", None, standalone=False, cluster=True, reason=_NULL),
    Different(MASKS, None, standalone=False, cluster=True, reason=_NULL),
    Different(
        "spec.weight",
        100.0,
        standalone=False,
        cluster=True,
        reason="JSON does not tell 100.0 from 100; a file's author who writes it means a fraction",
    ),
    Different(
        URL,
        "rtsp://[::ffff:192.0.2.1]/",
        standalone=True,
        cluster=False,
        reason="CEL's isIP takes no IPv4 address in the clothes of IPv6; write the IPv4 address",
    ),
    Different(
        URL,
        "rtsp://h/?pa%C5%BFsword=x",
        standalone=False,
        cluster=True,
        reason="an encoded long s is no s to a regular expression; no camera takes it for one",
    ),
    Different(
        "metadata.annotations",
        {"a": {"b": 1}},
        standalone=True,
        cluster=False,
        reason="standalone has no use for annotations and does not look into them",
    ),
    Different(
        "metadata.colour",
        1,
        standalone=True,
        cluster=False,
        reason="metadata is Kubernetes' own and grows; standalone takes what it does not know",
    ),
    Different(
        "metadata.labels",
        {"a": "no label"},
        standalone=True,
        cluster=False,
        reason="nothing selects by labels standalone",
    ),
    Different(
        "metadata.name",
        "a..b",
        standalone=True,
        cluster=False,
        reason="standalone a name is a file's name, and that is a good one",
    ),
    Different(
        "status",
        {"assignment": {"worker": "evil"}},
        standalone=False,
        cluster=True,
        reason="who creates a Camera has no say in its status: the API server forgets it",
    ),
)

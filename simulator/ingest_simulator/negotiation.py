"""Agree on a transport for one track (RFC 2326, 12.39). Pure."""

from ingest_simulator.camera import Transport
from ingest_simulator.messages import TransportSpec

_MAX_CHANNEL = 255


def choose(
    specs: tuple[TransportSpec, ...], allowed: Transport, track: int
) -> TransportSpec | None:
    """The first alternative that the camera takes, its channels or ports filled in."""
    for spec in specs:
        pair = spec.pair or ((2 * track, 2 * track + 1) if spec.interleaved else None)
        if pair is None or spec.multicast:
            continue
        if spec.interleaved and max(pair) > _MAX_CHANNEL:
            continue
        if allowed is (Transport.UDP if spec.interleaved else Transport.TCP):
            continue
        return TransportSpec(interleaved=spec.interleaved, multicast=False, pair=pair)
    return None


def told(spec: TransportSpec, server_ports: tuple[int, int]) -> str:
    """The Transport header of the answer."""
    assert spec.pair is not None
    pair = f"{spec.pair[0]}-{spec.pair[1]}"
    if spec.interleaved:
        return f"RTP/AVP/TCP;unicast;interleaved={pair}"
    return f"RTP/AVP;unicast;client_port={pair};server_port={server_ports[0]}-{server_ports[1]}"

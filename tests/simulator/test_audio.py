import numpy as np

from ingest_simulator import audio


def test_mu_law_has_the_values_of_its_table() -> None:
    # ITU-T G.711 table 2: silence, the ends of the scale, and one value of a middle segment.
    coded = audio.mu_law(np.array([0, -1, 32767, -32768, 1000], np.int32))
    assert coded == bytes((0xFF, 0x7F, 0x80, 0x00, 0xCE))


def test_a_second_of_sound_is_fifty_packets() -> None:
    assert len(audio.PACKETS) == 50
    assert {len(packet.buffer) for packet in audio.PACKETS} == {4 + 12 + 160}

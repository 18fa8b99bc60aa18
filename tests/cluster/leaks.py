"""Find a credential in what it was written into, however that spells it. Pure.

Percent-encoding, JSON, YAML, HTML, shells and programming languages all leave letters and digits as
they are, so the core of a credential, a run of them that is nowhere else, is found in what any of
them wrote, and also where only half of it is left. What encodes bytes (base64, as in an
`Authorization: Basic`, and hex) is tried at each of its offsets. What is compressed must be
unpacked before.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

_SHORTEST: Final = 12  # of a core: shorter ones are somewhere by chance


@dataclass(frozen=True, slots=True)
class Credential:
    """What must be nowhere.

    Attributes:
        name: Of it, for people: it may be printed.
        text: Whole and raw.
        core: The part of it that is looked for.
    """

    name: str
    text: str
    core: str

    def __post_init__(self) -> None:
        assert self.core in self.text, self.name
        assert self.core.isascii(), self.name
        assert self.core.isalnum(), self.name
        assert len(self.core) >= _SHORTEST, self.name


def leaks(
    places: Iterable[tuple[str, bytes]], credentials: Iterable[Credential]
) -> tuple[str, ...]:
    """`PLACE has NAME` for each credential that is found.

    Args:
        places: What is searched, each with what people call it.
        credentials: What must not be there.
    """
    sought = [(one.name, one.core.lower().encode(), [*_encoded(one.core)]) for one in credentials]
    return tuple(
        f"{place} has {name}"
        for place, content in places
        for name, core, encoded in sought
        if core in content.lower() or any(spelling in content for spelling in encoded)
    )


def _encoded(core: str) -> Iterator[bytes]:
    """Spellings of the core that tell small letters from capitals."""
    yield core.encode().hex().encode()
    yield core.encode().hex().upper().encode()
    for before in range(3):
        spelled = b64encode(bytes(before) + core.encode())
        first = -(-before * 8 // 6)  # whose bits are all of the core
        last = (before + len(core)) * 8 // 6
        standard = spelled[first:last]
        yield standard
        yield standard.replace(b"+", b"-").replace(b"/", b"_")

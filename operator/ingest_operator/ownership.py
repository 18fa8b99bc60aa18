"""Whose an object is that was there before. Pure.

An apply by force makes an object the pool's, whoever made it, and it would be collected with the
pool. So what somebody else made under a name that a pool needs is let be, and said.
"""

import msgspec

from ingest_core import names


class _Owner(msgspec.Struct, frozen=True):
    uid: str = ""
    controller: bool = False


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    labels: dict[str, str] = {}
    owner_references: tuple[_Owner, ...] = ()


class _Owned(msgspec.Struct, frozen=True):
    metadata: _Metadata


def belongs(found: bytes, pool: str, uid: str) -> bool:
    """Is an object a pool's?

    What has our labels and no controller was the pool's: it was left behind when the pool was
    deleted (`--cascade=orphan`), or came from a backup.

    Args:
        found: Its JSON.
        pool: The pool's name.
        uid: The pool's uid.
    """
    metadata = msgspec.json.decode(found, type=_Owned).metadata
    controllers = {owner.uid for owner in metadata.owner_references if owner.controller}
    if controllers:
        return controllers == {uid}
    ours = {names.LABEL_MANAGED_BY: names.APP, names.LABEL_POOL: pool}
    return ours.items() <= metadata.labels.items()

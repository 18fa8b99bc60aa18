"""Say in one sentence why kubeconfigs give no access: what is wrong where, and what to do.

The official loader's own words may quote a token, and its types say little. So what it could not
load is read once more, by types of ours. Nothing of a user is ever quoted but file names.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
import yaml
from msgspec import Struct, field

_SHOWN: Final = 63
_PICK = "pick one with `kubectl config use-context`"


class _Cluster(Struct, rename="kebab"):
    server: str
    certificate_authority: str = ""


class _Plugin(Struct):
    command: str


class _User(Struct, rename="kebab"):
    token_file: str = field(default="", name="tokenFile")
    client_certificate: str = ""
    client_key: str = ""
    exec: _Plugin | None = None


class _Context(Struct):
    cluster: str
    user: str = ""
    namespace: str | None = None


class _NamedCluster(Struct):
    name: str
    cluster: _Cluster


class _NamedUser(Struct):
    name: str
    user: _User


class _NamedContext(Struct):
    name: str
    context: _Context


class _Config(Struct, rename="kebab"):
    current_context: str | None = None
    contexts: list[_NamedContext] | None = None
    clusters: list[_NamedCluster] | None = None
    users: list[_NamedUser] | None = None


class _Wrong(Exception):
    """A sentence for people."""


def diagnose(files: Sequence[Path], context: str | None) -> str:
    """What is wrong.

    Args:
        files: Merged as `kubectl` does; what is not there counts as empty.
        context: Chosen; None: what they call current.
    """
    try:
        return _first(files, context)
    except _Wrong as wrong:
        return str(wrong)


def _first(files: Sequence[Path], context: str | None) -> str:
    there = [file for file in files if file.exists()]
    if not there:
        raise _Wrong("there is no such file")
    contexts: dict[str, _Context] = {}
    clusters: dict[str, tuple[_Cluster, Path]] = {}
    users: dict[str, tuple[_User, Path]] = {}
    for file in there:
        config = _read(file)
        context = context or config.current_context
        contexts = {one.name: one.context for one in config.contexts or ()} | contexts
        clusters = {one.name: (one.cluster, file) for one in config.clusters or ()} | clusters
        users = {one.name: (one.user, file) for one in config.users or ()} | users
    if not context:
        raise _Wrong(f"it has no current-context: {_PICK}")
    if context not in contexts:
        there_are = ", ".join(map(_quoted, sorted(contexts)[:5])) or "none"
        raise _Wrong(f"it has no context {_quoted(context)}: {_PICK}, there is {there_are}")
    chosen = contexts[context]
    for kind, name, named in (("cluster", chosen.cluster, clusters), ("user", chosen.user, users)):
        if name and name not in named:
            raise _Wrong(f"its context {_quoted(context)} names a {kind} that it does not have")
    missing = [*_missing(*clusters[chosen.cluster])]
    if chosen.user:
        missing += _missing(*users[chosen.user])
    if missing:
        raise _Wrong(f"it names {missing[0]}, which is no file")
    plugin = users[chosen.user][0].exec if chosen.user else None
    if plugin is not None:
        return f"its plugin {_quoted(plugin.command)} fails, or says no credential: run it by hand"
    return f"the credential of its user {_quoted(chosen.user)} is missing, or is none"


def _read(file: Path) -> _Config:
    try:
        raw = yaml.safe_load(file.read_text("utf-8"))
    except OSError as error:
        raise _Wrong(error.strerror or "it cannot be read") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise _Wrong(f"{file} is no YAML") from None
    if raw is None:
        raise _Wrong(f"{file} is empty")
    try:
        return msgspec.convert(raw, _Config)
    except msgspec.ValidationError as error:  # says types and the place, and no value
        raise _Wrong(f"{file} is no kubeconfig: {error}") from None
    except UnicodeEncodeError:
        raise _Wrong(f"{file} holds what is no text") from None


def _missing(part: _Cluster | _User, file: Path) -> Iterator[Path]:
    """Files that it names and that are not there."""
    if isinstance(part, _Cluster):
        named = [part.certificate_authority]
    else:
        named = [part.token_file, part.client_certificate, part.client_key]
    for name in named:
        if name and not (file.parent / name).is_file():
            yield file.parent / name


def _quoted(name: str) -> str:
    return repr(name[:_SHOWN])

"""Say in plain words which field breaks which rule of its type. Pure.

msgspec says it for programmers, and quotes what it found. Here a rule is a sentence, and a value is
shown only where it cannot be a credential: never for a field that may hold one, never for a value
of a wrong type (whoever writes `source: rtsp://user:password@…` has put a login where a mapping
belongs), never through a message of msgspec's.
"""

import json
import re
from typing import Any, Final

import msgspec

from ingest_core import names
from ingest_core.errors import Problem

_AT: Final = re.compile(
    r"(?P<rule>.*?)(?: - at `(?P<key>key` in `)?\$(?P<path>[\w.\[\]]*)`)?", re.DOTALL
)
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_PLAIN_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")  # what `password:hunter2` is not
_MISSING: Final = re.compile(r"Object missing required field `(.*)`")
_TYPE: Final = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")
_BOUND: Final = re.compile(r"Expected `(?:int|float|str|array|object)` ((?:of length )?[<>=]+ \d+)")
_PATTERN: Final = re.compile(r"Expected `str` matching regex ")

_SHOWN: Final = 80
_SECRET_FIELDS: Final = ("url", "source_url", "password", "token", "username")
_WORDS: Final = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "null": "null",
    "object": "a mapping",
    "str": "a string",
}
_PATTERNS: Final = {
    names.CAMERA_ID_PATTERN: "must be 1 to 63 of the characters A-Z a-z 0-9 _ . -",
    names.OBJECT_NAME_PATTERN: (
        "must be 1 to 253 of the characters a-z 0-9 - . and begin and end with a letter or a digit"
    ),
    names.WORKER_NAME_PATTERN: (
        "must be 1 to 63 of the characters a-z 0-9 - . and begin and end with a letter or a digit"
    ),
    names.POOL_NAME_PATTERN: (
        "must be 1 to 52 of the characters a-z 0-9 -, begin with a letter and end with a letter or "
        "a digit"
    ),
    names.NAMESPACE_PATTERN: (
        "must be 1 to 63 of the characters a-z 0-9 - and begin and end with a letter or a digit"
    ),
    names.LOGIN_PATTERN: "must not hold control characters",
    names.TOKEN_PATTERN: "must be visible characters of ASCII, as a header holds them",
    names.SECRET_KEY_PATTERN: "must be 1 to 253 of the characters A-Z a-z 0-9 _ . -",
}


def explain(message: str, raw: object, type_: type, root: str = "") -> Problem:
    """Turn the message of a `msgspec.ValidationError` into a problem.

    Args:
        message: What msgspec said.
        raw: What was converted.
        type_: What it was converted to.
        root: Prefix of the field's path.
    """
    at = _AT.fullmatch(message)
    said, path = (at["rule"], at["path"] or "") if at else (message, "")
    if found := _UNKNOWN.fullmatch(said):
        if _PLAIN_NAME.fullmatch(found[1]):
            return Problem(_field(root, f"{path}.{found[1]}"), None, "there is no such field")
        rule = "has an unknown field, whose name is not shown: is a space missing after a colon?"
        return Problem(_field(root, path), None, rule)
    if found := _MISSING.fullmatch(said):
        return Problem(_field(root, f"{path}.{found[1]}"), None, "is required")
    if at and at["key"]:
        rule, _ = _rule(said, type_, path) if _PATTERN.match(said) else ("must be a string", False)
        return Problem(_field(root, path), None, f"every key {rule}")
    rule, showable = _rule(said, type_, path)
    value = show(_value_at(raw, path)) if showable and not _may_be_secret(root + path) else None
    return Problem(_field(root, path), value, rule)


def show(value: object) -> str:
    """Print a value on one line, cut short; not what looks like a URL or a login."""
    if isinstance(value, dict | list):
        return _WORDS["object" if isinstance(value, dict) else "array"]
    if isinstance(value, str):
        hidden = "://" in value or "@" in value
        return "a URL or a login" if hidden else _cut(json.dumps(value))
    if isinstance(value, bool | int | float | None):
        return _cut(json.dumps(value))
    return type(value).__name__


def _rule(said: str, type_: type, path: str) -> tuple[str, bool]:
    """The rule in words, and whether a value that breaks it may be shown."""
    if found := _TYPE.fullmatch(said):
        wanted = " or ".join(_WORDS.get(word, word) for word in found[1].split(" | "))
        return f"must be {wanted}, not {_WORDS.get(found[2], found[2])}", False
    if found := _BOUND.fullmatch(said):
        return f"must be {found[1]}", "length" not in found[1]
    if _PATTERN.match(said):
        rule = next((rule for pattern, rule in _PATTERNS.items() if repr(pattern) in said), said)
        return rule, True
    choices = _choices(type_, path)
    return (f"must be one of {', '.join(choices)}", True) if choices else ("is not valid", False)


def _choices(type_: type, path: str) -> tuple[str, ...]:
    """The values that an enumeration at a path allows."""
    info: Any = msgspec.inspect.type_info(type_)
    for name, _ in _STEP.findall(path):
        info = _unwrapped(info)
        if not name:
            info = info.item_type
            continue
        fields = getattr(info, "fields", ())
        info = next((field.type for field in fields if field.encode_name == name), None)
    info = _unwrapped(info)
    if isinstance(info, msgspec.inspect.EnumType):
        return tuple(str(member.value) for member in info.cls)
    if isinstance(info, msgspec.inspect.LiteralType):
        return tuple(map(str, info.values))
    return ()


def _unwrapped(info: Any) -> Any:
    while isinstance(info, msgspec.inspect.UnionType | msgspec.inspect.Metadata):
        if isinstance(info, msgspec.inspect.Metadata):
            info = info.type
            continue
        parts = [part for part in info.types if not isinstance(part, msgspec.inspect.NoneType)]
        info = parts[0]
    return info


def _value_at(raw: Any, path: str) -> object:
    for name, index in _STEP.findall(path):
        raw = raw[name] if name else raw[int(index)]
    return raw


def _field(root: str, path: str) -> str:
    return (root + path).lstrip(".") or "(document)"


def _may_be_secret(path: str) -> bool:
    return path.rpartition(".")[2] in _SECRET_FIELDS or "SecretRef" in path


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"

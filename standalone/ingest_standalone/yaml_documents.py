"""Read YAML that a person wrote, bounded and without surprises. Pure.

Refused: aliases (a few bytes of them grow into gigabytes), nesting without an end, tags, a key said
twice. What is wrong is told by line and column and never by quoting: the file may hold a Secret.
"""

from collections.abc import Hashable, Iterator
from typing import Any, Final

import yaml

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 32


class BadYaml(ValueError):
    """It is no YAML that we read; the message says where and why, and quotes nothing."""


class _Loader(yaml.CSafeLoader):
    """The safe one, and a key said twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - as PyYAML calls it
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise BadYaml(f"{_place(key.start_mark)}: a key is said twice")
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def documents(data: bytes) -> Iterator[object]:
    """The documents of a file, empty ones left out, up to the first that cannot be read.

    Raises:
        BadYaml: At the first document that is wrong; those before it have been given.
    """
    if len(data) > MAX_BYTES:
        raise BadYaml(f"the file must not have more than {MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadYaml(f"byte {error.start}: the file must be UTF-8") from None
    whole, wrong = _whole(text)
    try:
        yield from _load(text, whole)
    except yaml.constructor.ConstructorError as error:
        raise BadYaml(f"{_place(error.problem_mark)}: such a key is not allowed") from None
    except BadYaml:
        raise
    except Exception:  # noqa: BLE001 - what PyYAML raises over a wrong number is anything
        raise BadYaml("a number or a date in the file is not one") from None
    if wrong is not None:
        raise wrong


def _whole(text: str) -> tuple[int, BadYaml | None]:
    """How many documents are well formed, and what is wrong with the next one."""
    depth = count = 0
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
                where = _place(event.start_mark)
                return count, BadYaml(f"{where}: anchors and aliases are not allowed")
            if getattr(event, "tag", None) is not None:
                return count, BadYaml(f"{_place(event.start_mark)}: tags are not allowed")
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                where = _place(event.start_mark)
                return count, BadYaml(f"{where}: nested more than {MAX_DEPTH} deep")
            count += isinstance(event, yaml.DocumentEndEvent)
    except yaml.MarkedYAMLError as error:
        reason = (error.problem or "not YAML").partition("'")[0].strip()  # it may quote
        return count, BadYaml(f"{_place(error.problem_mark)}: {reason}")
    except yaml.YAMLError:
        return count, BadYaml("the file holds a character that YAML does not allow")
    return count, None


def _load(text: str, count: int) -> Iterator[object]:
    loader = _Loader(text)
    try:
        for _ in range(count):
            document = loader.get_data()
            if document is not None:
                yield document
    finally:
        loader.dispose()


def _place(mark: Any) -> str:
    return "the file" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}"

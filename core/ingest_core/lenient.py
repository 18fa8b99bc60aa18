"""Read what a newer version wrote: fields that this one does not know are let be. Pure.

A manifest by a person is held to the letter (`manifest.parse`). What the API server hands out was
held to it already, by a CRD that may be newer than this program while a release is rolled out.
"""

from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def decode(raw: bytes | msgspec.Raw, type_: type[T]) -> T:
    """JSON as a type, less the fields that it does not have.

    Raises:
        msgspec.DecodeError: It is none even so.
    """
    try:
        try:
            return msgspec.json.decode(raw, type=type_)
        except msgspec.ValidationError:
            return convert(msgspec.json.decode(raw), type_)
    except UnicodeDecodeError:
        raise msgspec.DecodeError("it is not UTF-8") from None


def convert(raw: Any, type_: type[T]) -> T:
    """The same of JSON that is decoded already. Raises likewise."""
    try:
        return msgspec.convert(raw, type_)
    except msgspec.ValidationError:
        return msgspec.convert(_known(raw, msgspec.inspect.type_info(type_)), type_)


def _known(value: Any, info: msgspec.inspect.Type) -> Any:
    """The value without what a Struct of its type has no field for."""
    match info:
        case msgspec.inspect.Metadata():
            return _known(value, info.type)
        case msgspec.inspect.UnionType():
            structs = [one for one in info.types if not isinstance(one, msgspec.inspect.NoneType)]
            return _known(value, structs[0]) if value is not None and len(structs) == 1 else value
        case msgspec.inspect.StructType() if isinstance(value, dict):
            types = {field.encode_name: field.type for field in info.fields}
            return {key: _known(one, types[key]) for key, one in value.items() if key in types}
        case msgspec.inspect.DictType() if isinstance(value, dict):
            return {key: _known(one, info.value_type) for key, one in value.items()}
        case msgspec.inspect.VarTupleType() | msgspec.inspect.ListType() if isinstance(value, list):
            return [_known(one, info.item_type) for one in value]
    return value

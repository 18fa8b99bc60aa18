"""What of a spec somebody chose: all but the options that have their defaults. Pure.

The API server writes defaults into what it stores, so that nobody can tell them from a choice.
msgspec leaves out what is the very default object, which a number or a part that was read is not.
"""

from typing import Any

import msgspec
from msgspec import Struct


def chosen(part: Struct) -> dict[str, Any]:
    """A spec, or a part of one, as JSON has it; read again, it is the same."""
    return {
        field.encode_name: chosen(value)
        if isinstance(value, Struct)
        else msgspec.to_builtins(value)
        for field in msgspec.structs.fields(part)
        if (value := getattr(part, field.name)) != field.default
    }

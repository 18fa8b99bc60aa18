"""One frozen Struct per program, read once, from flags and the environment.

A field `redis_url` is the flag `--redis-url` and the variable `CAMERA_INGEST_REDIS_URL`; the flag
wins. What it means is its msgspec `description`, from which `--help` and docs/reference/settings.md
are made, so that no option goes undocumented.
"""

import argparse
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from ingest_core import manifest, names
from ingest_core.errors import InvalidManifest, Problem
from ingest_core.logs import LogFormat, LogLevel

T = TypeVar("T", bound=Struct)


class LogSettings(Struct, frozen=True, kw_only=True):
    """What every program is told of its logs."""

    log_level: Annotated[LogLevel, Meta(description="Least level of a line.")] = "info"
    log_format: Annotated[LogFormat, Meta(description="Lines for people or for machines.")] = "json"


Kubeconfig = Annotated[
    str | None,
    Meta(
        description="File that says how to reach the API server. Not given: $KUBECONFIG, else the "
        "pod's service account, else ~/.kube/config."
    ),
]
NamespaceName = Annotated[str, Meta(pattern=names.NAMESPACE_PATTERN)]
Namespace = Annotated[
    NamespaceName | None,
    Meta(description="Where the Cameras are. Not given: the pod's or the kubeconfig's."),
]


@dataclass(frozen=True, slots=True)
class Setting:
    """A field of a settings Struct, as people see it."""

    field: str
    default: Any
    description: str
    choices: tuple[str, ...]

    @property
    def flag(self) -> str:
        return "--" + self.field.replace("_", "-")

    @property
    def variable(self) -> str:
        return names.ENV_PREFIX + self.field.upper()


def settings_of(type_: type[Struct]) -> Iterator[Setting]:
    """Every setting of a Struct, in its order."""
    hints = get_type_hints(type_, include_extras=True)
    for field in msgspec.structs.fields(type_):
        hint, *metadata = get_args(hints[field.name])
        meta = next(one for one in metadata if isinstance(one, msgspec.Meta))
        choices = get_args(hint) if get_origin(hint) is Literal else ()
        default = None if field.default is msgspec.NODEFAULT else field.default
        yield Setting(field.name, default, meta.description or "", choices)


def add_arguments(parser: argparse.ArgumentParser, type_: type[Struct]) -> None:
    """Give a parser a flag for each setting."""
    for setting in settings_of(type_):
        default = "" if setting.default is None else f" Default: {setting.default}."
        parser.add_argument(
            setting.flag,
            dest=setting.field,
            metavar="|".join(setting.choices) or setting.field.rpartition("_")[2].upper(),
            help=f"{setting.description}{default} [${setting.variable}]",
        )


def seconds(text: str) -> float:
    """A duration as an argument: the `type` of a flag that no Struct has.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, not {text!r}")
    return value


def load(
    type_: type[T],
    flags: Mapping[str, str | None],
    environment: Mapping[str, str],
    checks: Mapping[str, Callable[[str], object]] | None = None,
) -> T:
    """Read the settings.

    Args:
        type_: The program's Struct.
        flags: What the command line gave, by field; None: not given.
        environment: Usually os.environ.
        checks: By field, what a given text must pass; it raises ValueError with the rule, and
            quotes nothing that may be a login.

    Raises:
        InvalidManifest: A value breaks its rule; names the flag or the variable that gave it.
    """
    raw: dict[str, str] = {}
    origin: dict[str, str] = {}
    for setting in settings_of(type_):
        flag, variable = flags.get(setting.field), environment.get(setting.variable)
        if flag is not None:
            raw[setting.field], origin[setting.field] = flag, setting.flag
        elif variable:
            raw[setting.field], origin[setting.field] = variable, setting.variable
    try:
        settings = manifest.parse(raw, type_, strict=False)
    except InvalidManifest as error:
        flags_of = {setting.field: setting.flag for setting in settings_of(type_)}
        renamed = (
            Problem(origin.get(one.field, flags_of.get(one.field, one.field)), one.value, one.rule)
            for one in error.problems
        )
        raise InvalidManifest(*renamed) from None
    for field, check in (checks or {}).items():
        try:
            if field in raw:
                check(raw[field])
        except ValueError as error:
            raise InvalidManifest(Problem(origin[field], None, str(error))) from None
    return settings

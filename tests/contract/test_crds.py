"""The CRDs say of each field what the types in core say of it, and they say it to people, too."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
import yaml
from msgspec import inspect

from ingest_core import names
from ingest_core.kube.resources import CAMERAS, POOLS, Resource
from ingest_core.model import CameraSpec, CameraStatus
from ingest_core.pool import PoolSpec, PoolStatus

FOLDER = Path(__file__).resolve().parents[2] / "crds"
KINDS = ("camera", "camerapool")
PATTERN_IN_CEL = re.compile(r"self\.matches\('([^']*)'\)")
LEAST_IN_CEL = re.compile(r"size\(self\) >= (\d+)")
PASSED_ON = tuple(  # parts of a pod, which are plain JSON to us
    f"worker.{part}"
    for part in (
        "resources",
        "tolerations",
        "affinity",
        "topologySpreadConstraints",
        "env",
        "volume",
    )
)
NESTED = "a part with defaults of its own"

Schema = dict[str, Any]


def crd(name: str) -> Schema:
    return cast("Schema", yaml.safe_load((FOLDER / f"{name}.yaml").read_text()))


def version(name: str) -> Schema:
    (only,) = crd(name)["spec"]["versions"]
    return cast("Schema", only)


def root(name: str) -> Schema:
    return cast("Schema", version(name)["schema"]["openAPIV3Schema"])


@dataclass(frozen=True)
class Field:
    """What a Struct and a schema can both say of a field.

    Attributes:
        kind: Of JSON; of a list or map, with that of what is in it.
        required: Must it be given?
        least, most: Of a number; of the length of a string or list; of the size of a map.
        pattern: A regular expression of RE2.
        choices: Of which it must be one.
        default: What it is if it is not given; an empty list or map: nothing.
    """

    kind: str
    required: bool = False
    least: int | None = None
    most: int | None = None
    pattern: str | None = None
    choices: frozenset[str] = frozenset()
    default: object = None


# What a Struct says.


def told_by(struct: type[msgspec.Struct]) -> dict[str, Field]:
    """Every field below a Struct, by its path."""
    return dict(_fields(inspect.type_info(struct), ""))


def _fields(info: inspect.Type, path: str) -> Iterator[tuple[str, Field]]:
    assert isinstance(info, inspect.StructType)
    for one in info.fields:
        name = f"{path}.{one.encode_name}".lstrip(".")
        inner = _unwrapped(one.type)
        yield name, _field(inner, required=one.required, default=_default(one))
        if isinstance(inner, inspect.VarTupleType):
            inner, name = _unwrapped(inner.item_type), f"{name}[]"
        if isinstance(inner, inspect.StructType):
            yield from _fields(inner, name)


def _unwrapped(info: inspect.Type) -> inspect.Type:
    if isinstance(info, inspect.Metadata):
        return _unwrapped(info.type)
    if isinstance(info, inspect.UnionType):
        (info,) = (one for one in info.types if not isinstance(one, inspect.NoneType))
        return _unwrapped(info)
    return info


def _default(one: inspect.Field) -> object:
    value = one.default
    if one.default_factory is not msgspec.NODEFAULT:
        value = one.default_factory()
    if value is msgspec.NODEFAULT or value in ((), {}):
        return None
    return NESTED if isinstance(value, msgspec.Struct) else value


def _field(info: inspect.Type, **known: Any) -> Field:
    said: dict[str, Any] = {}
    match info:
        case inspect.BoolType():
            kind = "boolean"
        case inspect.IntType():
            kind, said = "integer", {"least": info.ge, "most": info.le}
        case inspect.StrType(pattern=pattern):
            pattern = pattern and pattern.replace(r"\Z", "$")  # of Python, and of RE2
            kind = "string"
            said = {"least": info.min_length, "most": info.max_length, "pattern": pattern}
        case inspect.EnumType():
            kind, said = "string", {"choices": frozenset(str(one.value) for one in info.cls)}
        case inspect.LiteralType():
            kind, said = "string", {"choices": frozenset(map(str, info.values))}
        case inspect.StructType() | inspect.DictType(value_type=inspect.AnyType()):
            kind = "object"
        case inspect.DictType(value_type=inner) | inspect.VarTupleType(item_type=inner):
            outer = "object" if isinstance(info, inspect.DictType) else "array"
            kind = f"{outer} of {_field(_unwrapped(inner)).kind}"
            said = {"least": info.min_length, "most": info.max_length}
        case _:
            raise AssertionError(info)
    return Field(kind, **said, **known)


# What a schema says.


def told_in(schema: Schema, path: str = "") -> Iterator[tuple[str, Field]]:
    """Every field below a schema, by its path."""
    required = schema.get("required", ())
    for key, one in schema.get("properties", {}).items():
        name = f"{path}.{key}".lstrip(".")
        yield name, _property(one, required=key in required)
        if one["type"] == "array":
            one, name = one["items"], f"{name}[]"  # noqa: PLW2901 - what is in the list
        yield from told_in(one, name)


def _property(one: Schema, *, required: bool) -> Field:
    default = one.get("default")
    kind, most = one["type"], one.get("maximum", one.get("maxItems", one.get("maxProperties")))
    if kind == "array":
        kind = f"array of {one['items']['type']}"
    elif "additionalProperties" in one:
        kind = f"object of {one['additionalProperties'].get('type', 'quantity')}"
    elif kind == "string":
        most = one.get("maxLength")
    rules = " ".join(rule["rule"] for rule in one.get("x-kubernetes-validations", ()))
    pattern = PATTERN_IN_CEL.search(rules)
    least = LEAST_IN_CEL.search(rules)
    return Field(
        kind,
        required,
        int(least[1]) if least else one.get("minimum", one.get("minLength", one.get("minItems"))),
        most,
        pattern[1] if pattern else one.get("pattern"),
        frozenset(one.get("enum", ())),
        NESTED if isinstance(default, dict) else default,
    )


def schemas(one: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every schema below one, itself too; what is Kubernetes' own is left out."""
    yield path, one
    for key, inner in one.get("properties", {}).items():
        if path or key not in ("apiVersion", "kind", "metadata"):
            yield from schemas(inner, f"{path}.{key}".lstrip("."))
    for key in ("items", "additionalProperties"):
        if isinstance(one.get(key), dict):
            yield from schemas(one[key], f"{path}[]")


# The length that a pattern allows is in the pattern; a schema says it once more, because the API
# server needs it to tell what a rule of CEL may cost.
def without_the_length_of_a_pattern(told: dict[str, Field]) -> dict[str, Field]:
    def less(one: Field) -> Field:
        if one.pattern is None or one.most is None:
            return one
        assert re.match(one.pattern, "a" * one.most)
        assert not re.match(one.pattern, "a" * (one.most + 1))
        return Field(**{**vars(one), "most": None})

    return {path: less(one) for path, one in told.items()}


@pytest.mark.parametrize(("kind", "struct"), [("camera", CameraSpec), ("camerapool", PoolSpec)])
def test_a_spec_has_the_fields_defaults_and_bounds_of_its_type(
    kind: str, struct: type[msgspec.Struct]
) -> None:
    there = dict(told_in(root(kind)["properties"]["spec"]))
    ours = told_by(struct)
    passed_on = {path for path in there.keys() - ours.keys() if path.startswith(PASSED_ON)}
    assert without_the_length_of_a_pattern(
        {path: one for path, one in there.items() if path not in passed_on}
    ) == without_the_length_of_a_pattern(ours)


@pytest.mark.parametrize(("kind", "struct"), [("camera", CameraStatus), ("camerapool", PoolStatus)])
def test_a_status_has_the_fields_of_its_type(kind: str, struct: type[msgspec.Struct]) -> None:
    there = dict(told_in(root(kind)["properties"]["status"]))
    ours = told_by(struct)
    assert {path: one.kind for path, one in there.items()} == {
        path: one.kind for path, one in ours.items()
    }
    for path, one in there.items():
        assert one.choices == ours[path].choices, path


def test_a_part_with_a_default_has_the_defaults_of_its_fields() -> None:
    for kind in KINDS:
        for path, one in schemas(root(kind)):
            for key, value in (one.get("default") or {}).items() if "properties" in one else ():
                assert one["properties"][key]["default"] == value, path


@pytest.mark.parametrize(("kind", "resource"), [("camera", CAMERAS), ("camerapool", POOLS)])
def test_a_kind_is_called_what_the_programs_call_it(kind: str, resource: Resource) -> None:
    spec = crd(kind)["spec"]
    called = spec["names"]
    assert crd(kind)["metadata"]["name"] == f"{resource.plural}.{resource.group}"
    assert (called["kind"], called["plural"]) == (resource.kind, resource.plural)
    assert (spec["group"], version(kind)["name"]) == (resource.group, resource.version)
    assert f"{spec['group']}/{version(kind)['name']}" == names.API_VERSION
    assert spec["scope"] == "Namespaced"


@pytest.mark.parametrize("kind", KINDS)
def test_a_definition_says_the_release_that_it_is_of(kind: str) -> None:
    project = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text())["project"]
    assert crd(kind)["metadata"]["annotations"] == {names.ANNOTATION_VERSION: project["version"]}


def test_cameras_are_selected_by_what_the_programs_select_them_by() -> None:
    selectable = {one["jsonPath"] for one in version("camera")["selectableFields"]}
    assert {f".{one}" for one in (names.SELECT_WORKER, names.SELECT_PREVIOUS)} <= selectable


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_is_described_in_sentences(kind: str) -> None:
    for path, one in schemas(root(kind)):
        if not path.endswith("[]"):
            assert re.fullmatch(r"[A-Z`].+[.?]", one["description"]), path


@pytest.mark.parametrize("kind", KINDS)
def test_everything_is_bounded(kind: str) -> None:
    for path, one in schemas(root(kind)):
        # A part of a pod that is kept as it is may be as large as an object may be.
        assert bounded(one) or one.get("x-kubernetes-preserve-unknown-fields"), path


def bounded(one: Schema) -> bool:
    by_type = {
        "string": bool({"maxLength", "enum"} & one.keys()) or one.get("format") == "date-time",
        "integer": {"format", "minimum"} <= one.keys(),  # a status may count for ever
        "array": {"maxItems", "x-kubernetes-list-type"} <= one.keys(),
        "object": "maxProperties" in one or "additionalProperties" not in one,
        "boolean": True,
        None: one.get("x-kubernetes-int-or-string", False) and "maxLength" in one,
    }
    return by_type[one.get("type")]  # there are no floats


def test_every_number_that_a_person_writes_has_a_most() -> None:
    for kind in KINDS:
        for path, one in schemas(root(kind)["properties"]["spec"]):
            assert one.get("type") != "integer" or "maximum" in one, path


@pytest.mark.parametrize("kind", KINDS)
def test_a_rule_says_what_must_hold(kind: str) -> None:
    for path, one in schemas(root(kind)):
        for rule in one.get("x-kubernetes-validations", ()):
            assert re.search(r"\b(must|is|goes)\b.*[^.]$", rule["message"]), path


@pytest.mark.parametrize("kind", KINDS)
def test_what_may_be_a_login_is_never_checked_by_what_the_api_server_quotes(kind: str) -> None:
    near = [
        (path, one)
        for path, one in schemas(root(kind)["properties"]["spec"])
        if re.search(r"SecretRef\.|\.url$|env\[\]\.value$", path)
    ]
    assert len(near) >= 3
    for path, one in near:
        assert not {"pattern", "enum", "minLength"} & one.keys(), path
        assert one["x-kubernetes-validations"], path
        for rule in one["x-kubernetes-validations"]:
            assert rule["reason"] == "FieldValueForbidden", path


def test_a_worker_s_name_fits_where_it_is_written() -> None:
    """The most of a pool's name, and of its replicas, give the longest name of a worker."""
    (rule,) = root("camerapool")["x-kubernetes-validations"]
    pattern = re.fullmatch(r"self\.metadata\.name\.matches\('(.*)'\)", rule["rule"])
    assert pattern
    longest = max(n for n in range(1, 64) if re.match(pattern[1], "a" * n))
    assert longest == 52
    replicas = root("camerapool")["properties"]["spec"]["properties"]["replicas"]["maximum"]
    assignment = root("camera")["properties"]["status"]["properties"]["assignment"]["properties"]
    for field in ("worker", "previous"):
        assert assignment[field]["maxLength"] >= longest + len(f"-{replicas - 1}")

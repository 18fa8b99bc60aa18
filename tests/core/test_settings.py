"""Settings: a flag over a variable over a default, and a bad value names where it came from."""

import argparse
from typing import Annotated, Literal

import pytest
from msgspec import Meta, Struct

from ingest_core import settings
from ingest_core.errors import InvalidManifest
from ingest_core.settings import load, settings_of
from ingest_operator.settings import OperatorSettings
from ingest_standalone.settings import StandaloneSettings
from ingest_worker.settings import ClusterWorkerSettings, WorkerSettings


class Told(Struct, frozen=True, kw_only=True):
    """Settings of a program that is only a test."""

    redis_url: Annotated[str | None, Meta(description="Where to.")] = None
    threads: Annotated[int, Meta(ge=1, le=8, description="How many.")] = 2
    share: Annotated[float, Meta(gt=0, description="How much.")] = 0.5
    verbose: Annotated[bool, Meta(description="More?")] = False
    format: Annotated[Literal["json", "console"], Meta(description="Which.")] = "json"


def flags(*arguments: str) -> dict[str, str | None]:
    parser = argparse.ArgumentParser(exit_on_error=False)
    settings.add_arguments(parser, Told)
    return vars(parser.parse_args(arguments))


def test_without_anything_the_defaults_hold() -> None:
    assert load(Told, flags(), {}) == Told()
    assert load(Told, {}, {}) == Told()


def test_a_variable_is_over_the_default_and_a_flag_over_the_variable() -> None:
    environment = {"CAMERA_INGEST_THREADS": "3", "CAMERA_INGEST_REDIS_URL": "redis://a"}
    assert load(Told, flags(), environment) == Told(threads=3, redis_url="redis://a")
    assert load(Told, flags("--threads", "4"), environment).threads == 4


def test_an_empty_variable_is_none() -> None:
    assert load(Told, flags(), {"CAMERA_INGEST_THREADS": ""}).threads == 2


def test_variables_of_others_are_not_read() -> None:
    assert load(Told, flags(), {"THREADS": "3", "REDIS_URL": "redis://a"}) == Told()


def test_text_becomes_what_the_field_is() -> None:
    given = flags("--share", "0.25", "--verbose", "true", "--format", "console")
    assert load(Told, given, {}) == Told(share=0.25, verbose=True, format="console")
    assert load(Told, flags("--verbose", "1"), {}).verbose


@pytest.mark.parametrize(
    ("flag", "variable", "value", "rule"),
    [
        ("--threads", "CAMERA_INGEST_THREADS", "0", "must be >= 1"),
        ("--threads", "CAMERA_INGEST_THREADS", "9", "must be <= 8"),
        ("--threads", "CAMERA_INGEST_THREADS", "many", "must be a whole number"),
        ("--threads", "CAMERA_INGEST_THREADS", "1.5", "must be a whole number"),
        ("--share", "CAMERA_INGEST_SHARE", "half", "must be a number"),
        ("--verbose", "CAMERA_INGEST_VERBOSE", "loud", "must be true or false"),
        ("--format", "CAMERA_INGEST_FORMAT", "xml", "must be one of console, json"),
    ],
)
def test_a_bad_value_names_its_flag_or_its_variable(
    flag: str, variable: str, value: str, rule: str
) -> None:
    for given, environment, name in (
        (flags(flag, value), {}, flag),
        (flags(), {variable: value}, variable),
    ):
        with pytest.raises(InvalidManifest) as refused:
            load(Told, given, environment)
        (problem,) = refused.value.problems
        assert problem.field == name
        assert rule in problem.rule


def test_a_flag_that_is_good_hides_a_variable_that_is_not() -> None:
    assert load(Told, flags("--threads", "3"), {"CAMERA_INGEST_THREADS": "many"}).threads == 3


@pytest.mark.parametrize("program", [StandaloneSettings, WorkerSettings])
def test_every_setting_of_a_program_is_described_as_a_sentence(program: type[Struct]) -> None:
    found = list(settings_of(program))
    assert [one.field for one in found] == list(program.__struct_fields__)
    for one in found:
        assert one.description.endswith("."), one.field
        assert one.description[0].isupper(), one.field


@pytest.mark.parametrize("program", [StandaloneSettings, WorkerSettings])
def test_the_defaults_of_a_program_keep_its_own_rules(program: type[Struct]) -> None:
    said = {
        one.variable: str(one.default) for one in settings_of(program) if one.default is not None
    }
    assert load(program, {}, said) == program()


def test_help_shows_what_it_means_what_it_may_be_and_both_ways_to_say_it() -> None:
    parser = argparse.ArgumentParser()
    settings.add_arguments(parser, Told)
    shown = " ".join(parser.format_help().split())
    assert "--format json|console Which. Default: json. [$CAMERA_INGEST_FORMAT]" in shown
    assert "--redis-url URL Where to. [$CAMERA_INGEST_REDIS_URL]" in shown


def test_a_check_that_fails_names_the_variable_and_shows_nothing_of_the_value() -> None:
    def never(_: str) -> None:
        raise ValueError("must be another")

    environment = {"CAMERA_INGEST_REDIS_URL": "redis://u:hunter2@h"}
    with pytest.raises(InvalidManifest) as refused:
        load(Told, {}, environment, {"redis_url": never})
    assert str(refused.value) == "CAMERA_INGEST_REDIS_URL: must be another"
    assert load(Told, {}, {}, {"redis_url": never}) == Told()


@pytest.mark.parametrize("program", [OperatorSettings, ClusterWorkerSettings])
def test_a_lease_is_renewed_well_before_it_ends_or_the_program_does_not_start(
    program: type[OperatorSettings | ClusterWorkerSettings],
) -> None:
    told = {"worker": "default-0", "lease_duration_seconds": "7"}
    assert load(program, {**told, "lease_renew_seconds": "3"}, {}).lease_renew_seconds == 3
    rule = (
        "must be less than half of --lease-duration-seconds, which is 7, "
        "so that one lost renewal costs nothing (found 4)"
    )
    with pytest.raises(InvalidManifest) as refused:
        load(program, {**told, "lease_renew_seconds": "4"}, {})
    assert str(refused.value) == f"--lease-renew-seconds: {rule}"
    with pytest.raises(InvalidManifest) as refused:
        load(program, told, {"CAMERA_INGEST_LEASE_RENEW_SECONDS": "4"})
    assert str(refused.value) == f"CAMERA_INGEST_LEASE_RENEW_SECONDS: {rule}"

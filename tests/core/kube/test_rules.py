"""A rule is written as a Role has it."""

import msgspec
import pytest

from ingest_core.kube.rules import Rule

CAMERAS = {"apiGroups": ["camera-ingest.io"], "resources": ["cameras"], "verbs": ["get", "list"]}


def test_it_goes_into_a_role_and_comes_back() -> None:
    rule = msgspec.convert(CAMERAS, Rule)
    assert rule.verbs == ("get", "list")
    assert msgspec.json.decode(msgspec.json.encode(rule)) == CAMERAS


def test_names_are_written_only_where_there_are_any() -> None:
    one = Rule(api_groups=("",), resources=("secrets",), verbs=("get",), resource_names=("login",))
    assert msgspec.to_builtins(one)["resourceNames"] == ("login",)


def test_what_would_be_lost_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="nonResourceURLs"):
        msgspec.convert({**CAMERAS, "nonResourceURLs": ["/metrics"]}, Rule)

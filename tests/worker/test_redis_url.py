"""The forms of a Redis URL, and that a broken one is told without being quoted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_core.credentials import Credentials
from ingest_worker.redis_url import InvalidRedisUrl, RedisTarget, parse

FORMS = {
    "redis://r": RedisTarget("server", (("r", 6379),)),
    "redis://r:1/3": RedisTarget("server", (("r", 1),), database=3),
    "redis://[::1]:7000": RedisTarget("server", (("::1", 7000),)),
    "redis://u:p%40%2f@r": RedisTarget(
        "server", (("r", 6379),), credentials=Credentials("u", "p@/")
    ),
    "redis://:p@r": RedisTarget("server", (("r", 6379),), credentials=Credentials("", "p")),
    "rediss://r?ca_file=/ca.pem&cert_file=c&key_file=k": RedisTarget(
        "server", (("r", 6379),), tls=True, ca_file="/ca.pem", cert_file="c", key_file="k"
    ),
    "unix:///run/r.sock?db=2": RedisTarget("server", path="/run/r.sock", database=2),
    "unix://u:p@/r.sock": RedisTarget("server", path="/r.sock", credentials=Credentials("u", "p")),
    "redis+cluster://a,b:7,[::1]": RedisTarget("cluster", (("a", 6379), ("b", 7), ("::1", 6379))),
    "rediss+cluster://a": RedisTarget("cluster", (("a", 6379),), tls=True),
    "redis+sentinel://u:p@a,b:7/main/5?sentinel_auth=same": RedisTarget(
        "sentinel",
        (("a", 26379), ("b", 7)),
        credentials=Credentials("u", "p"),
        database=5,
        service="main",
        sentinel_auth=True,
    ),
}


@pytest.mark.parametrize("url", FORMS)
def test_each_form_names_its_target(url: str) -> None:
    assert parse(url) == FORMS[url]


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("", "begins with redis://, rediss://, unix://"),
        ("hunter2", "begins with"),
        ("http://r", "begins with"),
        ("redis://", "begins with"),
        ("redis://u:hunter2#x@r", "%23"),
        ("redis://u:hunter2/x@r", "percent-encoded"),
        ("redis://u:hunter2?x@r", "options"),
        ("redis://r:99999", "percent-encoded"),
        ("redis://r:0", "percent-encoded"),
        ("redis://a,b", "one host"),
        ("redis://r/hunter2", "a database is a number"),
        ("redis://r/²", "a database is a number"),
        ("redis://hunter2@r", "a login is user:password@"),
        ("redis://r?ca_file=/x", "none"),
        ("redis://r?password=hunter2", "options of this scheme"),
        ("rediss://r?cert_file=c", "come together"),
        ("rediss://r?ca_file=a&ca_file=b", "at most once"),
        ("rediss://r?ca_file=", "not empty"),
        ("unix://run/r.sock", "absolute path"),
        ("redis+cluster://a/1", "no databases"),
        ("redis+sentinel://a", "/service"),
        ("redis+sentinel://a/s?sentinel_auth=hunter2", "sentinel_auth is 'same'"),
    ],
)
def test_a_broken_url_is_told_by_its_rule_alone(url: str, rule: str) -> None:
    with pytest.raises(InvalidRedisUrl) as caught:
        parse(url)
    assert rule in str(caught.value)
    assert "hunter2" not in str(caught.value)


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=8))
def test_no_password_whatever_its_bytes_is_in_an_error_or_a_repr(password: str) -> None:
    secret = f"zq{password}qz"
    try:
        said = repr(parse(f"redis://user:{secret}@host"))
    except InvalidRedisUrl as error:
        said = str(error)
    assert secret not in said

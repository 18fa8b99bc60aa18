"""Digest against the vectors of RFC 7616, section 3.9.1; a server must not be fooled."""

import base64
import dataclasses

import pytest

from ingest_simulator import auth
from ingest_simulator.auth import Guard
from ingest_simulator.camera import Auth

URI = "/dir/index.html"
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
VECTORS = {
    Auth.DIGEST_MD5: ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
    Auth.DIGEST_SHA256: (
        "SHA-256",
        "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
    ),
}
DIGESTS = [Auth.DIGEST_MD5, Auth.DIGEST_SHA256]


def guard(kind: Auth) -> Guard:
    return Guard(
        kind=kind,
        realm="http-auth@example.org",
        nonce=NONCE,
        qop=True,
        username="Mufasa",
        password="Circle of Life",
    )


def header(kind: Auth, **changes: str) -> str:
    algorithm, response = VECTORS[kind]
    fields = {
        "username": "Mufasa",
        "realm": "http-auth@example.org",
        "uri": URI,
        "nonce": NONCE,
        "cnonce": CNONCE,
        "response": response,
    } | changes
    quoted = ", ".join(f'{name}="{value}"' for name, value in fields.items())
    return f"Digest {quoted}, algorithm={algorithm}, nc=00000001, qop=auth"


@pytest.mark.parametrize("kind", DIGESTS)
def test_the_vectors_of_the_rfc_hold(kind: Auth) -> None:
    algorithm, response = VECTORS[kind]
    assert response == auth.digest_response(
        algorithm,
        username="Mufasa",
        realm="http-auth@example.org",
        password="Circle of Life",
        method="GET",
        uri=URI,
        nonce=NONCE,
        counted=("00000001", CNONCE),
    )


@pytest.mark.parametrize("kind", DIGESTS)
def test_the_header_of_the_rfc_opens(kind: Auth) -> None:
    assert auth.admits(guard(kind), header(kind), "GET", f"http://www.example.org{URI}")


@pytest.mark.parametrize("kind", DIGESTS)
@pytest.mark.parametrize(
    "change",
    [
        {"username": "Scar"},
        {"realm": "elsewhere"},
        {"nonce": "an old one"},
        {"uri": "/other"},
        {"uri": ""},
        {"cnonce": "x"},
        {"response": "0" * 32},
        {"response": "é"},
    ],
)
def test_a_digest_that_is_not_right_in_all_is_refused(kind: Auth, change: dict[str, str]) -> None:
    assert not auth.admits(guard(kind), header(kind, **change), "GET", URI)


def test_a_digest_for_another_method_password_or_algorithm_is_refused() -> None:
    md5, right = guard(Auth.DIGEST_MD5), header(Auth.DIGEST_MD5)
    assert auth.admits(md5, right, "GET", URI)
    assert not auth.admits(md5, right, "POST", URI)
    assert not auth.admits(dataclasses.replace(md5, password="x"), right, "GET", URI)
    assert not auth.admits(md5, header(Auth.DIGEST_SHA256), "GET", URI)
    assert not auth.admits(guard(Auth.DIGEST_SHA256), right, "GET", URI)


def test_a_name_with_quotes_and_backslashes_opens_escaped_or_not() -> None:
    name = 'a"b\\c'
    keeper = dataclasses.replace(guard(Auth.DIGEST_MD5), username=name)
    response = auth.digest_response(
        "MD5",
        username=name,
        realm=keeper.realm,
        password=keeper.password,
        method="PLAY",
        uri=URI,
        nonce=NONCE,
    )
    for spelled in (name, 'a\\"b\\\\c'):
        given = (
            f'Digest username="{spelled}", realm="{keeper.realm}", nonce="{NONCE}", '
            f'uri="{URI}", response="{response}"'
        )
        assert auth.admits(keeper, given, "PLAY", URI)


@pytest.mark.parametrize(
    ("given", "opens"),
    [
        ("Basic " + base64.b64encode(b"Mufasa:Circle of Life").decode(), True),
        ("basic " + base64.b64encode(b"Mufasa:Circle of Life").decode(), True),
        ("Basic " + base64.b64encode(b"Mufasa:x").decode(), False),
        ("Basic ???", False),
        ("Basic é", False),
        ("", False),
        (None, False),
    ],
)
def test_basic_opens_with_the_right_pair_only(given: str | None, *, opens: bool) -> None:
    assert auth.admits(guard(Auth.BASIC), given, "PLAY", URI) is opens


def test_digest_is_not_opened_by_basic() -> None:
    given = "Basic " + base64.b64encode(b"Mufasa:Circle of Life").decode()
    assert not auth.admits(guard(Auth.DIGEST_MD5), given, "PLAY", URI)


def test_a_challenge_says_what_is_wanted() -> None:
    assert auth.challenge(guard(Auth.BASIC)) == 'Basic realm="http-auth@example.org"'
    asked = auth.challenge(guard(Auth.DIGEST_SHA256))
    assert asked.startswith("Digest ")
    assert 'qop="auth"' in asked
    assert "algorithm=SHA-256" in asked
    assert "qop" not in auth.challenge(dataclasses.replace(guard(Auth.DIGEST_MD5), qop=False))


def test_the_repr_of_a_guard_hides_the_password() -> None:
    assert "Circle" not in repr(guard(Auth.BASIC))

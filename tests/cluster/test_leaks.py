"""A search that must find nothing is worth what it would find."""

import html
import json
import shlex
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
import yaml

from tests.cluster.leaks import Credential, leaks

SECRET = Credential("the password", "a b/\"@:%<&é>?Zx7Rosebud19qK\\'end", "Zx7Rosebud19qK")

WRITINGS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "URL": lambda text: f"rtsp://admin:{quote(text, safe='')}@10.0.0.7/",
    "form": quote_plus,
    "JSON": lambda text: json.dumps({"password": text}),
    "JSON in JSON": lambda text: json.dumps(json.dumps({"password": text})),
    "YAML": lambda text: yaml.safe_dump({"password": text}),
    "HTML": html.escape,
    "shell": shlex.quote,
    "Python": repr,
    "small letters": str.lower,
    "cut off": lambda text: text[7:-5],
    "base64": lambda text: b64encode(text.encode()).decode(),
    "Basic": lambda text: b64encode(f"u:{text}".encode()).decode(),
    "Basic of another user": lambda text: b64encode(f"me:{text}".encode()).decode(),
    "base64 of a URL": lambda text: urlsafe_b64encode(f"rtsp://u:{text}@h/".encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
}


@pytest.mark.parametrize("writing", WRITINGS)
def test_a_credential_is_found_however_it_is_written(writing: str) -> None:
    written = WRITINGS[writing](SECRET.text).encode()

    places = (("here", b"before " + written + b" after"), ("there", b"nothing"))

    assert leaks(places, (SECRET,)) == ("here has the password",)


def test_what_was_found_is_said_without_saying_it() -> None:
    (found,) = leaks((("a log", SECRET.text.encode()),), (SECRET,))

    assert leaks((("what was said", found.encode()),), (SECRET,)) == ()


def test_another_credential_is_not_taken_for_it() -> None:
    another = Credential("another", "Zx7Rosebud19qL", "Zx7Rosebud19qL")

    assert leaks((("here", another.text.encode()),), (SECRET,)) == ()

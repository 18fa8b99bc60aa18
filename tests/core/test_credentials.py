"""A login leaves a URL and comes back unchanged, whatever it is made of; it is never printed."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_core.credentials import Credentials, join_userinfo, redact, split_userinfo

PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


def test_every_printable_byte_survives_the_url() -> None:
    login = Credentials("viewer", PRINTABLE)
    url = join_userinfo("rtsp://camera:554/a?b=c", login)
    assert split_userinfo(url) == ("rtsp://camera:554/a?b=c", login)


@pytest.mark.parametrize("byte", list(PRINTABLE))
def test_a_printable_byte_in_any_place_is_encoded_once(byte: str) -> None:
    for login in (Credentials(byte, "p"), Credentials("u", byte), Credentials("u", f"a{byte}b")):
        assert split_userinfo(join_userinfo("rtsp://h/x", login)) == ("rtsp://h/x", login)


def test_a_login_that_ffmpeg_would_cut_off_is_refused() -> None:
    join_userinfo("rtsp://h/x", Credentials("u", "p" * 125))
    with pytest.raises(ValueError, match="longer than 127 bytes") as raised:
        join_userinfo("rtsp://h/x", Credentials("u", "p" * 126))
    assert "ppp" not in str(raised.value)


@given(text, text)
def test_any_login_survives_the_url(username: str, password: str) -> None:
    login = Credentials(username, password)
    joined = join_userinfo("rtsps://[::1]:322/x", login)
    assert split_userinfo(joined) == ("rtsps://[::1]:322/x", login)
    assert joined.isascii()


@pytest.mark.parametrize(
    ("url", "bare", "login"),
    [
        ("rtsp://h/x", "rtsp://h/x", None),
        ("RTSP://H/x", "rtsp://H/x", None),
        ("rtsp://admin:p%40ss@h/x", "rtsp://h/x", Credentials("admin", "p@ss")),
        ("rtsp://admin:p@ss@h/x", "rtsp://h/x", Credentials("admin", "p@ss")),
        ("rtsp://admin:a:b@h", "rtsp://h", Credentials("admin", "a:b")),
        ("rtsp://admin@h", "rtsp://h", Credentials("admin", "")),
        ("rtsp://@h", "rtsp://h", Credentials("", "")),
        ("rtsp://u:100%@h/x", "rtsp://h/x", Credentials("u", "100%")),
        ("rtsp://u:p@[fe80::1]:554/x?y#z", "rtsp://[fe80::1]:554/x?y#z", Credentials("u", "p")),
    ],
)
def test_a_url_is_split_as_people_mean_it(url: str, bare: str, login: Credentials | None) -> None:
    assert split_userinfo(url) == (bare, login)


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("rtsp://admin:hun/ter2@h/x", "must not have an @ after the host"),
        ("rtsp://admin:hun?ter2@h/x", "must not have an @ after the host"),
        ("rtsp://admin:hun#ter2@h/x", "must not have an @ after the host"),
        ("rtsp://admin:12/hunter2@h", "must not have an @ after the host"),
        ("rtsp://u:hunter2%ff@h/x", "UTF-8"),
        ("camera/x", "must be a URL"),
        ("://u:hunter2@h", "must be a URL"),
        ("", "must be a URL"),
    ],
)
def test_a_url_that_hides_a_login_elsewhere_is_refused_without_quoting_it(
    url: str, rule: str
) -> None:
    with pytest.raises(ValueError, match=rule) as caught:
        split_userinfo(url)
    assert "hunter2" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_url_without_a_login_is_joined_unchanged() -> None:
    assert join_userinfo("rtsp://h/x", None) == "rtsp://h/x"


def test_credentials_never_print() -> None:
    login = Credentials("admin", "hunter2")
    for printed in (repr(login), str(login), f"{login}", f"{[login]}"):
        assert "admin" not in printed
        assert "hunter2" not in printed


@given(st.text(string.ascii_letters + string.digits + string.punctuation, min_size=9))
def test_no_login_of_a_url_in_a_text_outlives_redaction(password: str) -> None:
    raw = f"cannot open rtsp://admin:{password}@camera/x: no route"
    assert redact(raw) == "cannot open rtsp://***@camera/x: no route"


@pytest.mark.parametrize(
    "raw", ["rtsp://a:b c@d e@h/x is down", "rtsp://a:b@c://d@h/x is down", "x\nrtsp://a:b @h\ny"]
)
def test_redaction_goes_to_the_last_at_of_the_line(raw: str) -> None:
    blank = redact(raw)
    assert "rtsp://***@h" in blank
    assert "b" not in blank
    assert blank.count("\n") == raw.count("\n")


def test_text_without_a_url_is_left_alone() -> None:
    assert redact("write to a@b") == "write to a@b"
    assert redact("rtsp://camera/x is down") == "rtsp://camera/x is down"

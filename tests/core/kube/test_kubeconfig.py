"""What is wrong with a kubeconfig is one sentence that a person can act on."""

import json
from pathlib import Path
from typing import Any

import pytest

from ingest_core.kube.kubeconfig import diagnose

TOKEN = "token-that-nobody-may-see"


def config(user: object = None, **changed: object) -> dict[str, Any]:
    return {
        "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443"}}],
        "users": [{"name": "u", "user": {"token": TOKEN} if user is None else user}],
        "contexts": [
            {"name": "a", "context": {"cluster": "c", "user": "u"}},
            {"name": "b", "context": {"cluster": "other", "user": "u"}},
        ],
        "current-context": "a",
        **changed,
    }


def said(folder: Path, what: object, context: str | None = None) -> str:
    file = folder / "config"
    file.write_text(what if isinstance(what, str) else json.dumps(what))
    return diagnose([file], context).replace(f"{folder}/", "")


PICK = "pick one with `kubectl config use-context`"
AUTHORITY = {"server": "https://h", "certificate-authority": "ca.pem"}
NAMELESS = {key: value for key, value in config().items() if key != "current-context"}


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("", "config is empty"),
        (f"users: [{{token: {TOKEN}", "config is no YAML"),
        ("[" * 500, "config is no YAML"),
        ("\x00", "config is no YAML"),
        (TOKEN, "config is no kubeconfig: Expected `object`, got `str`"),
        (
            config(contexts=TOKEN),
            "config is no kubeconfig: Expected `array | null`, got `str` - at `$.contexts`",
        ),
        (
            config(clusters=[{"name": "c", "cluster": {}}]),
            "config is no kubeconfig: Object missing required field `server` - at `$.clusters[0]",
        ),
        (config(TOKEN), "config is no kubeconfig: Expected `object`, got `str` - at "),
        ('contexts: "\\ud800"', "config holds what is no text"),
        (NAMELESS, f"it has no current-context: {PICK}"),
        (
            config(**{"current-context": "z"}),
            f"it has no context 'z': {PICK}, there is 'a', 'b'",
        ),
        (
            {"current-context": "z"},
            f"it has no context 'z': {PICK}, there is none",
        ),
        (
            config(**{"current-context": "b"}),
            "its context 'b' names a cluster that it does not have",
        ),
        (config(users=None), "its context 'a' names a user that it does not have"),
        (
            config(clusters=[{"name": "c", "cluster": AUTHORITY}]),
            "it names ca.pem, which is no file",
        ),
        (config({"tokenFile": "missing"}), "it names missing, which is no file"),
        (config({"client-certificate": "cert"}), "it names cert, which is no file"),
        (config({"client-key": "key"}), "it names key, which is no file"),
        (
            config({"exec": {"command": "aws", "env": [TOKEN]}}),
            "its plugin 'aws' fails, or says no credential: run it by hand",
        ),
        (config({}), "the credential of its user 'u' is missing, or is none"),
    ],
)
def test_it_says_what_is_wrong_where_and_quotes_no_credential(
    tmp_path: Path, what: object, sentence: str
) -> None:
    found = said(tmp_path, what)
    assert found.startswith(sentence)
    assert TOKEN not in found


def test_a_file_that_is_not_there_or_not_to_be_read(tmp_path: Path) -> None:
    assert diagnose([tmp_path / "missing"], None) == "there is no such file"
    assert diagnose([tmp_path], None) == "Is a directory"


def test_the_context_that_was_chosen_counts_whichever_is_current_by_now(tmp_path: Path) -> None:
    assert "context 'b' names a cluster" in said(tmp_path, config(), "b")


def test_several_files_are_one(tmp_path: Path) -> None:
    """What one of them lacks, another one may have; one that is not there lacks nothing."""
    (tmp_path / "more").write_text(
        json.dumps({"clusters": [{"name": "other", "cluster": AUTHORITY}]})
    )
    (tmp_path / "config").write_text(json.dumps(config(**{"current-context": "b"})))
    files = [tmp_path / name for name in ("config", "absent", "more")]
    assert diagnose(files, None) == f"it names {tmp_path}/ca.pem, which is no file"

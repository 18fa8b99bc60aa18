"""Others than the administrator: who somebody is says a token of his account."""

import json
from base64 import b64decode
from dataclasses import replace
from typing import Any

from tests.cluster.client import Client, Refused
from tests.cluster.command_line import CommandLine


def token(by: CommandLine, account: str) -> str:
    """A real token of a service account of the namespace."""
    return by.kubectl("create", "token", account).strip()


def signed_in(by: CommandLine, account: str) -> CommandLine:
    """Commands in the same namespace, as a service account of it."""
    configuration = _configuration(by)
    (user,) = configuration["users"]
    user["user"] = {"token": token(by, account)}
    kubeconfig = by.home / f"{by.namespace}-{account}.kubeconfig"
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(json.dumps(configuration))
    return replace(by, kubeconfig=kubeconfig)


def client(by: CommandLine, account: str) -> Client:
    """The API as a service account of the namespace sees it; the caller closes it."""
    (one,) = _configuration(by)["clusters"]
    authority = by.home / "cluster-ca.pem"
    authority.write_bytes(b64decode(one["cluster"]["certificate-authority-data"]))
    return Client(one["cluster"]["server"], authority, token(by, account))


def answer(client: Client, method: str, path: str, body: object = None) -> int:
    """The status of a request's answer; nothing is done: `dryRun`."""
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    try:
        client.call(method, path, body, kind, None if method == "GET" else {"dryRun": "All"})
    except Refused as refused:
        return refused.status
    return 200


def _configuration(by: CommandLine) -> Any:
    told = by.kubectl("config", "view", "--raw", "--minify", "--flatten", "--output=json")
    return json.loads(told)

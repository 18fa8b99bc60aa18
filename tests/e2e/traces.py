"""Where a credential could have been left: everything that an installation writes or shows.

Each function gives places, as people call them, with what is there.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import psutil
import redis

from tests.cluster.command_line import CommandLine
from tests.cluster.etcd import Etcd
from tests.cluster.nodes.cluster import Cluster
from tests.e2e import states

Places = Iterator[tuple[str, bytes]]

_SECRETS: Final = b"/registry/secrets/"
_PROGRAM: Final = "camera-ingest"
_GONE: Final = (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError)  # a zombie, too


def store(etcd: Etcd) -> Places:
    """Every object of the cluster that is no Secret, as it is stored."""
    for key, value in etcd.everything():
        if not key.startswith(_SECRETS):
            yield key.decode(), key + value


def objects(by: CommandLine) -> Places:
    """All that is in a namespace, Events among it, as kubectl describes it and as it is."""
    listed = by.kubectl("api-resources", "--namespaced", "--verbs=list", "--output=name")
    there = by.kubectl("get", ",".join(listed.split()), "--output=name").split()
    kinds = {name.partition("/")[0] for name in there}
    yield "kubectl describe", by.kubectl("describe", ",".join(kinds)).encode()
    plain = ",".join(kinds - {"secret"})
    shown = by.kubectl("get", plain, "--output=yaml", "--show-managed-fields")
    yield "kubectl get --output=yaml", shown.encode()


def logs(by: CommandLine) -> Places:
    """What each container of each pod said, also before it was started again."""
    for pod in states.items(by, "pods"):
        name = pod["metadata"]["name"]
        for container in pod["status"]["containerStatuses"]:
            chosen = (name, f"--container={container['name']}")
            yield f"the log of {name}", by.kubectl("logs", *chosen).encode()
            if container["restartCount"]:
                yield f"the log of {name} before", _log_before(by, *chosen).encode()


def release(by: CommandLine, name: str) -> Places:
    """What Helm tells of a release."""
    for what in ("get values --all", "get manifest", "get hooks", "get notes", "status", "history"):
        yield f"helm {what}", by.helm(*what.split(), name).encode()


def pages(by: CommandLine) -> Places:
    """What programs serve: metrics, and what workers and the gateway say of each camera."""
    paths = {
        "operator": ["metrics"],
        "worker": ["metrics", "live"],
        "gateway": ["metrics", "api/cameras"],
    }
    root = f"/api/v1/namespaces/{by.namespace}/pods"
    for pod in states.items(by, "pods"):
        name = pod["metadata"]["name"]
        component = pod["metadata"]["labels"].get("app.kubernetes.io/component", "")
        if all(one["ready"] for one in pod["status"]["containerStatuses"]):
            port = pod["spec"]["containers"][0]["ports"][0]["containerPort"]
            for path in paths.get(component, ()):
                answer = by.kubectl("get", "--raw", f"{root}/{name}:{port}/proxy/{path}")
                yield f"/{path} of {name}", answer.encode()


def database(client: redis.Redis) -> Places:
    """What Redis has, and what it remembers of those who talk to it."""
    kept: Any = client
    for key in kept.scan_iter():
        is_stream = kept.type(key) == b"stream"
        value = kept.xrange(key) if is_stream else kept.get(key)
        yield f"the key {key.decode()}", repr((key, value)).encode()
    for question in ("CLIENT LIST", "SLOWLOG GET 128", "ACL LOG"):
        yield question, repr(kept.execute_command(*question.split())).encode()


def arguments(nodes: Cluster) -> Places:
    """Of every process on the nodes."""

    def told(process: psutil.Process) -> Places:
        yield f"the arguments of {_name(process)}", "\0".join(process.cmdline()).encode()

    return _of_processes(nodes, told)


def environments(nodes: Cluster) -> Places:
    """Variables of each of our processes."""

    def told(process: psutil.Process) -> Places:
        if _is_ours(process):
            yield _name(process), repr(process.environ()).encode()

    return _of_processes(nodes, told)


def files(nodes: Cluster) -> Places:
    """What each of our processes wrote to the only place where it can."""

    def told(process: psutil.Process) -> Places:
        if _is_ours(process):
            for file in Path(f"/proc/{process.pid}/root/tmp").rglob("*"):
                with suppress(FileNotFoundError):
                    if file.is_file():
                        yield f"{file.name} of {_name(process)}", file.read_bytes()

    return _of_processes(nodes, told)


def _of_processes(nodes: Cluster, told: Callable[[psutil.Process], Places]) -> Places:
    """What each process on the nodes tells; one that goes meanwhile, what it told before."""
    for node in nodes.nodes.values():
        for process in psutil.Process(node.pid).children(recursive=True):
            with suppress(*_GONE):
                yield from told(process)


def _is_ours(process: psutil.Process) -> bool:
    return _PROGRAM in _words(process)


def _name(process: psutil.Process) -> str:
    """The program; of ours, with the command that it was given."""
    words = _words(process)
    first = words.index(_PROGRAM) if _PROGRAM in words else 0
    return " ".join(words[first : first + 2])


def _words(process: psutil.Process) -> list[str]:
    """Arguments, of paths the last part."""
    return [Path(word).name for word in process.cmdline()]


def _log_before(by: CommandLine, *chosen: str) -> str:
    """Asked anew where that container is cleared away at this very moment."""
    return states.until(
        partial(by.kubectl, "logs", *chosen, "--previous"),
        lambda said: not said.startswith("unable to retrieve container logs"),
    )

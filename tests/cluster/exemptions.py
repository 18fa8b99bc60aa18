"""Commands of the documents that no test types, and why.

tests/contract/test_guides.py sees that every other command is typed, and that none here is for
nothing.
"""

from typing import Final

from tests.cluster.guide import Command

# By how a command begins.
REASONS: Final = {
    "docker ": "needs Docker's daemon; tests/image runs the image and what compose.yaml says",
    "kind ": "needs Docker's daemon; tests/cluster/test_kind.py runs kind before a stand-in for it",
    "kubectl -n NAMESPACE top pod": "needs a metrics server, and nodes of tests have none",
    "make image": "needs Docker's daemon; tests/image builds the same Dockerfile by buildah",
    "make test": "is what runs these tests",
    "make check": "is not of the tests; .ci/run runs it before them",
    "make chaos": "takes minutes; .ci/run runs it after the tests",
    "make cluster": "has one place on a machine, which a person may use; tests/e2e make such a one",
    "make bench": "measures for an hour, and writes a document of the checkout",
    "make reliability": "measures for hours, and writes a document of the checkout",
    "make soak": "takes an hour, and writes a document of the checkout; .ci/run runs a short one",
    "make docs": "writes documents of the checkout; `make check` compares the same",
}


def exempt(command: Command) -> bool:
    """Whether no test need type it."""
    return command.text.startswith(tuple(REASONS))

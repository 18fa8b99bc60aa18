"""A refusal is excused by the order of events, and by nothing else."""

from dataclasses import replace

from tests.cluster.audit import Request
from tests.cluster.denials import denials
from tests.cluster.identity import RBAC

ASKED = Request(
    user="system:serviceaccount:here:default-worker",
    verb="list",
    group="camera-ingest.io",
    resource="cameras",
    namespace="here",
    name="",
    code=403,
    allowed=False,
    uri="/",
)
SECRET = replace(ASKED, verb="get", group="", resource="secrets", name="login")
DELETED = replace(
    ASKED,
    user="admin",
    verb="delete",
    group=RBAC,
    resource="roles",
    name="default-worker",
    code=200,
    allowed=True,
)


def given(asked: Request) -> Request:
    return replace(asked, code=200, allowed=True)


def test_what_was_allowed_is_no_denial_whatever_its_answer() -> None:
    conflict, admission = replace(given(ASKED), code=409), replace(given(ASKED), code=403)
    assert denials([given(ASKED), conflict, admission], "here") == []


def test_a_refusal_is_a_denial_and_those_of_other_namespaces_are_for_others() -> None:
    assert denials([given(SECRET), ASKED], "here") == [ASKED]
    assert denials([ASKED], "her") == []


def test_a_secret_that_is_given_later_to_the_same_account_was_asked_for_too_early() -> None:
    other = replace(SECRET, user="system:serviceaccount:here:other-worker")
    assert denials([SECRET, SECRET, given(SECRET)], "here") == []
    assert denials([SECRET], "here") == [SECRET], "it never was given"
    assert denials([given(SECRET), SECRET], "here") == [SECRET], "it was taken away too early"
    assert denials([SECRET, given(other)], "here") == [SECRET]
    assert denials([SECRET, given(replace(SECRET, name="more"))], "here") == [SECRET]


def test_an_account_whose_role_was_deleted_may_notice() -> None:
    binding = replace(DELETED, resource="rolebindings")
    for deleted in (DELETED, binding):
        assert denials([deleted, ASKED, SECRET], "here") == []
        assert denials([ASKED, deleted, ASKED], "here") == [ASKED]
    elsewhere, failed = replace(DELETED, namespace="there"), replace(DELETED, code=404)
    another = replace(DELETED, name="other-worker")
    for vain in (elsewhere, failed, another):
        assert denials([vain, ASKED], "here") == [ASKED]

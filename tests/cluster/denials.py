"""What RBAC refused that it should not have: read off the audit log's order. Pure.

Two refusals are no fault, as an authorizer hears of Roles later than whoever needs them:

- a Secret that the same account was given later: its Role was being written;
- all that an account asks once its own Role or binding was deleted, as with its pool.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from tests.cluster.audit import Request
from tests.cluster.identity import RBAC

_USER: Final = "system:serviceaccount"
_GRANTS: Final = ("roles", "rolebindings")


def denials(requests: Iterable[Request], namespace: str) -> list[Request]:
    """What accounts of a namespace were refused without an excuse, in its order.

    Args:
        requests: In the order of their answers.
        namespace: Of the accounts; each account's Role and binding are named as it is.
    """
    asked = list(requests)
    given = {(one.user, one.name): at for at, one in enumerate(asked) if _given(one)}  # the last
    prefix = f"{_USER}:{namespace}:"
    bereft: set[str] = set()
    found: list[Request] = []
    for at, one in enumerate(asked):
        if _deletes_a_grant(one) and one.namespace == namespace:
            bereft.add(f"{prefix}{one.name}")
        if one.allowed or not one.user.startswith(prefix) or one.user in bereft:
            continue
        if not (_asks_for_a_secret(one) and given.get((one.user, one.name), -1) > at):
            found.append(one)
    return found


def _asks_for_a_secret(one: Request) -> bool:
    return (one.group, one.resource, one.verb) == ("", "secrets", "get")


def _given(one: Request) -> bool:
    return one.allowed and _asks_for_a_secret(one)


def _deletes_a_grant(one: Request) -> bool:
    grant = one.group == RBAC and one.resource in _GRANTS
    return grant and one.verb == "delete" and one.code < HTTPStatus.BAD_REQUEST

"""Say in one sentence what is in the way of reading a cluster, and what to do about it. Pure."""

from http import HTTPStatus
from typing import Final

from ingest_core.errors import ApiForbidden, ApiNotFound, ApiRefused, IngestError
from ingest_core.kube.resources import Resource
from ingest_core.names import API_GROUP

NO_CRDS: Final = "the CRDs of Camera Ingest are not installed: kubectl apply -f crds/"


class Obstructed(IngestError):
    """Something that the operator needs is not there, or not for it. Its text is for people."""


def obstacle(error: ApiRefused, resource: Resource, namespace: str, where: str) -> Obstructed:
    """What a refusal means.

    Args:
        error: What the API server answered.
        resource: What it was asked for.
        namespace: The installation's.
        where: What says who we are (`Access.where`).
    """
    if error.status == HTTPStatus.UNAUTHORIZED:
        return Obstructed(
            f"the API server does not know this account: {where} holds no token or certificate "
            "that is valid now"
        )
    if isinstance(error, ApiForbidden):
        return Obstructed(
            f"{error.message}; give the account its Role: "
            f"camera-ingest rbac --namespace {namespace} | kubectl apply -f -"
        )
    if isinstance(error, ApiNotFound):
        if resource.group == API_GROUP:
            return Obstructed(NO_CRDS)
        return Obstructed(
            f"there is no namespace {namespace}: kubectl create namespace {namespace}, "
            "or name another one with --namespace"
        )
    return Obstructed(f"{resource.plural} cannot be read: {error}")

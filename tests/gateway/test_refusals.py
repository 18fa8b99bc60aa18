"""What an API server refuses with, in its words (Kubernetes 1.34), and what a client is told."""

import pytest

from ingest_core.errors import (
    AdmissionRefused,
    ApiForbidden,
    ApiInvalid,
    ApiRefused,
    Cause,
    IngestError,
    InvalidManifest,
    NotAllowed,
    QuotaExceeded,
    RegistryUnavailable,
)
from ingest_gateway.refusals import refusal

KIND = "cameras.camera-ingest.io"
OF_LOBBY = f'{KIND} "lobby" is forbidden: '
POLICY = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no rtsp://u:pw@h here"
WEBHOOK = 'admission webhook "w.example.com" denied the request: not on a Sunday'
QUOTA = f"exceeded quota: few, requested: count/{KIND}=1, used: count/{KIND}=1"
RBAC = f'{KIND} is forbidden: User "system:serviceaccount:a:g" cannot create resource "cameras" in'
ENDING = Cause("NamespaceTerminating", "namespace a is being terminated", "metadata.namespace")
STRICT = 'strict decoding error: unknown field "spec.bar", unknown field "spec.foo"'


@pytest.mark.parametrize(
    ("error", "type_", "says"),
    [
        (ApiForbidden(403, "Forbidden", OF_LOBBY + QUOTA), QuotaExceeded, QUOTA),
        (
            ApiForbidden(
                403, "Forbidden", OF_LOBBY + "status unknown for quota: few, resources: x"
            ),
            QuotaExceeded,
            "status unknown for quota: few",
        ),
        (ApiForbidden(403, "Forbidden", RBAC), NotAllowed, "must be allowed to create cameras"),
        (
            ApiForbidden(403, "Forbidden", OF_LOBBY + POLICY),
            AdmissionRefused,
            "no rtsp://***@h here",
        ),
        (
            ApiInvalid(422, "Invalid", OF_LOBBY + POLICY, (Cause(message=POLICY),)),
            AdmissionRefused,
            "binding 'b' denied request",
        ),
        (ApiInvalid(400, "BadRequest", WEBHOOK), AdmissionRefused, "not on a Sunday"),
        (
            ApiForbidden(403, "Forbidden", OF_LOBBY + "unable to create", (ENDING,)),
            RegistryUnavailable,
            "the namespace is being deleted",
        ),
        (ApiRefused(405, "MethodNotAllowed", "no"), RegistryUnavailable, "405 MethodNotAllowed"),
    ],
)
def test_each_refusal_is_one_of_ours(
    error: ApiRefused, type_: type[IngestError], says: str
) -> None:
    told = refusal(error)
    assert type(told) is type_
    assert says in str(told)


def test_broken_rules_are_told_field_by_field() -> None:
    causes = (
        Cause("FieldValueInvalid", "Invalid value: 70000: must be 64000 or less", "spec.weight"),
        Cause("FieldValueForbidden", "Forbidden: not rtsp://u:pw@h", "spec.source.rtsp.url"),
        Cause("FieldValueInvalid", "Invalid value: null: some rules were not checked", "<nil>"),
    )
    told = refusal(ApiInvalid(422, "Invalid", "is invalid", causes))
    assert isinstance(told, InvalidManifest)
    assert [(one.field, one.rule) for one in told.problems] == [
        ("spec.weight", "Invalid value: 70000: must be 64000 or less"),
        ("spec.source.rtsp.url", "Forbidden: not rtsp://***@h"),
    ]


def test_a_field_that_an_older_crd_does_not_know_is_named() -> None:
    told = refusal(ApiInvalid(400, "BadRequest", STRICT))
    assert isinstance(told, InvalidManifest)
    assert [one.field for one in told.problems] == ["spec.bar", "spec.foo"]


@pytest.mark.parametrize(
    "error",
    [
        ApiForbidden(403, "Forbidden", 'webhook "w" denied the request: hunter2 is too short'),
        ApiInvalid(422, "Invalid", "hunter2", (Cause("", "Invalid value: hunter2", "data.x"),)),
        ApiInvalid(400, "BadRequest", 'webhook "w" denied the request: hunter2 is too short'),
        ApiRefused(409, "Conflict", "hunter2"),
    ],
)
def test_the_words_of_a_refused_secret_are_never_passed_on(error: ApiRefused) -> None:
    assert "hunter2" not in str(refusal(error, secret=True))


def test_a_quota_on_secrets_is_one() -> None:
    error = ApiForbidden(403, "Forbidden", f'secrets "lobby-1" is forbidden: {QUOTA}')
    assert isinstance(refusal(error, secret=True), QuotaExceeded)

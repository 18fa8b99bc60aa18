"""What should be there is, whatever else there is is named."""

from ingest_core.names import OPERATOR_LEASE
from tests.cluster.leftovers import KINDS, differences, wanted

LOGIN = {"spec": {"source": {"rtsp": {"credentialsSecretRef": {"name": "login"}}}}}
OPEN: dict[str, object] = {"spec": {"source": {"rtsp": {}}}}


def test_every_kind_that_is_looked_at_is_known_and_nothing_is_left_of_a_quiet_cluster() -> None:
    should = wanted(["operator"], ["default-0"], [LOGIN, OPEN])
    assert should.keys() == {plural for _, plural in KINDS}
    assert should["secrets"] == {"login"}
    assert should["leases"] == {"default-0", OPERATOR_LEASE}
    assert should["roles"] == {"operator", "default-worker", "default-secrets-0"}
    assert differences(should, should) == []


def test_what_is_too_much_and_what_is_missing_is_named_by_its_kind() -> None:
    should = wanted([], ["default-0"], [])
    there = {**should, "roles": {*should["roles"], "other-worker"}, "services": set[str]()}
    assert differences(there, should) == [
        "services: too many [], missing ['default']",
        "roles: too many ['other-worker'], missing []",
    ]

"""What an `Api` is told to call for each of its calls: count them, for `/metrics`."""

from prometheus_client import CollectorRegistry

from ingest_core import metrics
from ingest_core.kube.client import Called


def counted(registry: CollectorRegistry) -> Called:
    """A `Called` whose metrics are registered."""
    requests = metrics.KUBE_REQUESTS.counter(registry)
    seconds = metrics.KUBE_SECONDS.histogram(registry)

    def called(verb: str, resource: str, code: str, took: float) -> None:
        requests.labels(verb, resource, code).inc()
        seconds.labels(verb).observe(took)

    return called


def both(one: Called, other: Called) -> Called:
    """Tell two."""

    def called(verb: str, resource: str, code: str, took: float, /) -> None:
        one(verb, resource, code, took)
        other(verb, resource, code, took)

    return called

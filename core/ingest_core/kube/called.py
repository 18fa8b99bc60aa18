"""Count the calls of the API server, for `/metrics`: what `Api` is told to call."""

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

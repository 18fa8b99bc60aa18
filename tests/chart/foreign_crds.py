"""CRDs of others, whose kinds the chart makes: as their own Go modules ship them."""

from collections.abc import Iterator
from typing import Any, Final

import yaml

from tests.cluster.go_modules import downloaded
from tests.cluster.nodes import monitoring

FILES: Final = {
    monitoring.MODULE: [
        f"example/prometheus-operator-crd/monitoring.coreos.com_{kind}.yaml"
        for kind in ("servicemonitors", "podmonitors", "prometheusrules")
    ],
    "sigs.k8s.io/gateway-api@v1.4.1": [
        "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"
    ],
    "github.com/kedacore/keda/v2@v2.17.2": ["config/crd/bases/keda.sh_scaledobjects.yaml"],
}


def foreign_crds() -> Iterator[Any]:
    """Each of them.

    Raises:
        Unavailable: Go, or a module, is not to be had here.
    """
    for module, files in FILES.items():
        folder = downloaded(module)
        for file in files:
            yield yaml.safe_load((folder / file).read_text())

"""Install CustomResourceDefinitions and wait until the API serves them."""

import time
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.client import Client, Refused

PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def install_crds(admin: Client, folder: Path) -> None:
    """Apply every manifest of a folder; nothing where there is no folder."""
    for file in sorted(folder.glob("*.yaml")):
        for crd in filter(None, yaml.safe_load_all(file.read_text())):
            install_crd(admin, crd)


def install_crd(admin: Client, crd: Any) -> None:
    """Apply one; returns when it is Established and served."""
    name, spec = crd["metadata"]["name"], crd["spec"]
    admin.apply(f"{PATH}/{name}", crd, fieldValidation="Strict")
    version = next(version["name"] for version in spec["versions"] if version["storage"])
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        told = admin.get(f"{PATH}/{name}").get("status", {}).get("conditions") or []
        if any((c["type"], c["status"]) == ("Established", "True") for c in told):
            try:
                admin.get(f"/apis/{spec['group']}/{version}/{spec['names']['plural']}", limit="1")
            except Refused as refused:
                if refused.status != 404:
                    raise
            else:
                return
        time.sleep(0.01)
    raise RuntimeError(f"{name} was not established")

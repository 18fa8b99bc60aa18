"""Camera Ingest in a cluster, by its chart, as the guide has it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.cluster.command_line import CommandLine, Failed
from tests.cluster.guide import ROOT

CHART: Final = ROOT / "charts" / "camera-ingest"
SIMULATED_CAMERAS: Final = ROOT / "docs" / "guide" / "simulated-cameras.yaml"

TRIAL_REDIS: Final = {"bundled": {"enabled": True}}


@dataclass(frozen=True, slots=True)
class Installation:
    """One release, in a namespace of its own where Pod Security is enforced.

    Attributes:
        by: Whose rights install it; its namespace is the release's.
        values: Of the chart; with a Redis for trials unless they say otherwise.
    """

    by: CommandLine
    release: str = "cameras"
    values: Mapping[str, Any] = field(default_factory=dict)

    def make_namespace(self) -> None:
        name = self.by.namespace
        self.by.kubectl("create", "namespace", name)
        label = "pod-security.kubernetes.io/enforce=restricted"
        self.by.kubectl("label", "namespace", name, label)

    def install(self) -> str:
        """Install or upgrade it, and wait until all of it is ready; what helm said."""
        given = {"redis": TRIAL_REDIS, **self.values}
        options = [f"--set-json={key}={json.dumps(value)}" for key, value in given.items()]
        return self.by.helm(
            "upgrade", "--install", self.release, str(CHART), "--wait", "--timeout=3m", *options
        )

    def add_cameras(self) -> None:
        """Apply the simulated cameras of the guide, and wait until their frames come.

        Raises:
            Failed: They do not; says what is there instead.
        """
        self.by.kubectl("apply", "--filename", str(SIMULATED_CAMERAS))
        ready = ("--for=condition=Ready", "--timeout=120s")
        try:
            self.by.kubectl("wait", *ready, "camera/lobby", "camera/yard")
        except Failed as error:
            seen = self.by.kubectl("get", "cameras,pods", "--output=wide")
            raise Failed(f"{error}\n{seen}") from None

"""kubectl and helm, as a person at one cluster types them."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.binaries import HELM, KUBECTL

SECONDS = 300


class Failed(Exception):
    """A command ended with an error; the text is what it said."""


@dataclass(frozen=True, slots=True)
class CommandLine:
    """Commands of one person.

    Attributes:
        kubeconfig: Who it is, and where.
        home: Where the commands keep what they remember.
        namespace: Where they act unless they say otherwise.
    """

    kubeconfig: Path
    home: Path
    namespace: str = "default"

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl printed.

        Raises:
            Failed: It ended with an error.
        """
        return self.run(str(KUBECTL), f"--namespace={self.namespace}", *arguments, stdin=stdin)

    def helm(self, *arguments: str) -> str:
        """What helm printed.

        Raises:
            Failed: It ended with an error.
        """
        return self.run(str(HELM.built()), f"--namespace={self.namespace}", *arguments)

    def run(self, *command: str, stdin: str | None = None) -> str:
        """What a command printed, which finds the cluster as one typed into a shell does.

        Raises:
            Failed: It ended with an error.
        """
        done = subprocess.run(
            command,
            input=stdin,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        if done.returncode != 0:
            raise Failed(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def begin(self, *command: str) -> "subprocess.Popen[str]":
        """Start one that goes on; what it prints is piped."""
        return subprocess.Popen(
            command,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables of the commands."""
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.home)}

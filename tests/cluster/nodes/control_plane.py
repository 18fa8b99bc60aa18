"""What makes a cluster of nodes: API server, controllers, scheduler, DNS, and the way to Services.

They live in a network of their own, as on a host beside the nodes; so does the test once it has
joined it: it reaches nodes, pods and Services, and nothing of it can leave this machine.
"""

from pathlib import Path
from typing import Final

from tests.cluster.api_server import SERVICES, ApiServer, write_kubeconfig
from tests.cluster.binaries import Binaries
from tests.cluster.go_commands import GoCommand
from tests.cluster.nodes import addresses, commands
from tests.cluster.nodes.machine import run
from tests.cluster.programs import Household, Program

BRIDGE: Final = "nodes"

# A node is said to be lost after so long; Kubernetes' own default is 50.
GRACE_SECONDS: Final = 8

COREFILE: Final = """\
.:53 {{
  bind {address}
  kubernetes {domain} in-addr.arpa ip6.arpa {{
    kubeconfig {kubeconfig}
    pods insecure
  }}
  cache 5
}}
"""


class ControlPlane:
    """Start it within its network.

    Attributes:
        server: The API server.
    """

    def __init__(self, household: Household, binaries: Binaries, nodes: int) -> None:
        self._home = household.directory
        users = {f"system:node:n{number}": "system:nodes" for number in range(1, nodes + 1)}
        users |= dict.fromkeys(
            (
                "system:kube-controller-manager",
                "system:kube-scheduler",
                "system:kube-proxy",
            ),
            "",
        )
        self.server = ApiServer(binaries, address=addresses.CONTROL_PLANE, users=users)
        self._household = household

    def start(self) -> None:
        """Start everything; returns when the API is ready."""
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        address = f"{addresses.CONTROL_PLANE}/{addresses.PREFIX}"
        run("ip", "addr", "add", address, "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
        # kube-proxy turns a Service's address into a pod's once there is a way there at all.
        run("ip", "route", "add", SERVICES, "dev", BRIDGE)
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        self.server.start()
        self._begin(
            commands.CONTROLLER_MANAGER,
            "system:kube-controller-manager",
            f"--service-account-private-key-file={self.server.signing_key}",
            f"--root-ca-file={self.server.ca_file}",
            "--use-service-account-credentials",
            "--node-monitor-period=1s",
            f"--node-monitor-grace-period={GRACE_SECONDS}s",
            "--leader-elect=false",
            "--authentication-skip-lookup",
            f"--cert-dir={self._home / 'controllers'}",
        )
        self._begin(
            commands.SCHEDULER,
            "system:kube-scheduler",
            "--leader-elect=false",
            "--authentication-skip-lookup",
            f"--cert-dir={self._home / 'scheduler'}",
        )
        proxy = commands.proxy_options("control-plane", addresses.CONTROL_PLANE)
        self._begin(commands.PROXY, "system:kube-proxy", *proxy)
        self._begin_dns()

    def stop(self) -> None:
        self.server.stop()

    def kubeconfig(self, user: str) -> Path:
        """A file for the user of this name."""
        path = self._home / f"{user.replace(':', '-')}.kubeconfig"
        token = {"token": self.server.tokens[user]}
        write_kubeconfig(path, self.server.url, self.server.ca_file, token)
        return path

    def _begin(self, command: GoCommand, user: str, *options: str) -> None:
        given = (f"--kubeconfig={self.kubeconfig(user)}", *options)
        self._program(command.name, command.built(), *given)

    def _begin_dns(self) -> None:
        corefile = self._home / "Corefile"
        text = COREFILE.format(
            address=addresses.CONTROL_PLANE,
            domain=addresses.DNS_DOMAIN,
            kubeconfig=self.server.kubeconfig,
        )
        corefile.write_text(text)
        self._program(commands.COREDNS.name, commands.COREDNS.built(), "-conf", str(corefile))

    def _program(self, name: str, *command: str | Path) -> None:
        Program(self._household, name, command).start()

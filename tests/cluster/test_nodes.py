"""A cluster of nodes that cannot be had is refused at once, and with the reason."""

from pathlib import Path

import pytest

from tests.cluster.go_commands import Unavailable
from tests.cluster.nodes import cluster, commands, machine


def test_without_buildah_there_is_no_cluster_and_nothing_is_built_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason := machine.obstacle():
        pytest.skip(reason)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in (*machine.NEEDED, *commands.INSTALLED, "debootstrap"):
        (programs / name).touch(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(Unavailable, match=r"^not installed: buildah$"), cluster.running():
        pass
    assert not (tmp_path / "cache").exists()

"""What breaks a rule, or is no manifest at all, is told and disturbs nothing else."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from shutil import move
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from ingest_core import metrics
from ingest_core.errors import (
    ManagedElsewhere,
    RegistryUnavailable,
)
from ingest_standalone.directory import DirectoryRegistry
from ingest_standalone.disk import Bytes, Disk
from tests.fakes.camera_directory import (
    RTSP,
    SECRET,
    manifest,
    put,
    rules,
    secret,
    settle,
)


async def test_a_broken_edit_is_reported_once_and_changes_nothing_until_it_is_mended(
    tmp_path: Path, logged: list[Any]
) -> None:
    exposition = CollectorRegistry()
    file = put(tmp_path / "site.yaml", manifest("lobby") + "---\n" + manifest("door"))
    put(tmp_path / "yard.yaml", manifest("yard"))
    async with DirectoryRegistry(tmp_path, exposition=exposition) as registry:
        before = dict(registry.cameras)
        put(file, manifest("lobby") + "---\n" + manifest("door", weight=0))
        await settle(registry)
        await settle(registry)
        assert dict(registry.cameras) == before
        lines = [line for line in logged if line["event"] == "manifest_invalid"]
        assert lines == [
            {
                "event": "manifest_invalid",
                "log_level": "warning",
                "file": "site.yaml",
                "document": 2,
                "field": "spec.weight",
                "value": "0",
                "rule": "must be >= 1",
            }
        ]
        assert exposition.get_sample_value(metrics.MANIFESTS_INVALID.name) == 1
        put(file, manifest("lobby"))
        await settle(registry)
        assert set(registry.cameras) == {"lobby", "yard"}
        assert exposition.get_sample_value(metrics.MANIFESTS_INVALID.name) == 0
        assert logged[-1]["event"] == "manifest_mended"


async def test_a_broken_file_that_goes_is_gone_and_not_mended(
    registry: DirectoryRegistry, tmp_path: Path, logged: list[Any]
) -> None:
    file = put(tmp_path / "lobby.yaml", manifest(weight=0))
    await settle(registry)
    file.unlink()
    await settle(registry)
    assert [line["event"] for line in logged] == ["manifest_invalid", "manifest_gone"]


async def test_a_name_said_twice_is_told_with_its_document(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    put(tmp_path / "a.yaml", "---\n".join([manifest("a"), manifest("b"), manifest("a")]))
    put(tmp_path / "b.yaml", "---\n".join([secret(a="b"), manifest("c"), secret(a="c")]), 0o600)
    await settle(registry)
    numbers = [
        found.document for file in ("a.yaml", "b.yaml") for found in registry._shelf.problems[file]
    ]
    assert numbers == [3, 3]


async def test_a_broken_document_disturbs_no_other_one(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    text = "---\n".join([manifest("a"), manifest("b", weight=0), "[]\n", manifest("c")])
    put(tmp_path / "site.yaml", text)
    await settle(registry)
    assert set(registry.cameras) == {"a", "c"}
    assert [found.document for found in registry._shelf.problems["site.yaml"]] == [2, 3]


async def test_a_file_that_was_never_whole_gives_no_camera(tmp_path: Path) -> None:
    put(tmp_path / "lobby.yaml", manifest(weight=0))
    async with DirectoryRegistry(tmp_path) as registry:
        assert not registry.cameras


async def test_a_broken_file_that_is_removed_takes_its_cameras_along(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    file = put(tmp_path / "lobby.yaml", manifest())
    await settle(registry)
    put(file, "{")
    await settle(registry)
    assert set(registry.cameras) == {"lobby"}
    file.unlink()
    await settle(registry)
    assert not registry.cameras
    assert not registry._shelf.problems


async def test_a_name_and_an_id_belong_to_the_first_file(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    put(tmp_path / "b.yaml", manifest("lobby", weight=2))
    put(tmp_path / "c.yaml", manifest("other", cameraId="lobby"))
    put(tmp_path / "a.yaml", manifest("lobby", weight=1))
    await settle(registry)
    assert {name: camera.spec.weight for name, camera in registry.cameras.items()} == {"lobby": 1}
    assert "the name of another camera, in a.yaml" in rules(registry, "b.yaml")
    assert "the id of another camera, in a.yaml" in rules(registry, "c.yaml")
    (tmp_path / "a.yaml").unlink()
    await settle(registry)
    assert registry.cameras["lobby"].spec.weight == 2


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"a: [", "line 2, column 1"),
        (b"a: b: c", "mapping values are not allowed"),
        (b"\xff\xfe", "UTF-8"),
        (b"a: \x00", "character"),
        (b"a: &x [1]\nb: *x\n", "anchors and aliases"),
        (b"a: *hunter2\n", "anchors and aliases"),
        (b"a: !hunter2 x\n", "line 1, column 4: tags are not allowed"),
        (b"a: !!python/object/apply:os.system [hunter2]\n", "tags are not allowed"),
        (b"a: !!timestamp hunter2\n", "tags are not allowed"),
        (b"a: !!map {b: hunter2}\n", "tags are not allowed"),
        (b"a: ! hunter2\n", "tags are not allowed"),
        (b"%TAG ! tag:hunter2\n", "line 2"),
        (b"[" * 500_000, "nested more than"),
        (b"- " * 100_000, "nested more than"),
        (b"x: 1\nx: 2\n", "said twice"),
        (b"x: 2026-99-99\n", "a number or a date"),
        (b"x: " + b"9" * 10_000, "a number or a date"),
        (b"? {a: b}\n: c\n", "such a key is not allowed"),
        (b"#" * (1 << 20) + b"\n", "1048576 bytes"),
        (b"- a\n- b\n", "must be a mapping"),
        (b"kind: Pod\napiVersion: v1\nmetadata: {}\n", "only Camera and Secret are taken here"),
        (b"spec: hunter2\n", "is required"),
    ],
)
async def test_any_bytes_are_a_problem_at_worst_and_never_quoted(
    registry: DirectoryRegistry, tmp_path: Path, logged: list[Any], data: bytes, rule: str
) -> None:
    put(tmp_path / "good.yaml", manifest())
    (tmp_path / "bad.yaml").write_bytes(data)
    await settle(registry)
    assert set(registry.cameras) == {"lobby"}
    assert rule in rules(registry, "bad.yaml")
    assert SECRET not in rules(registry, "bad.yaml") + str(logged)


class Cursed(bytes):
    """What no reader of ours is made for."""

    def decode(self, *_: str) -> str:
        raise RuntimeError(SECRET)


class Rotten(Disk):
    def read(self, file: str) -> Bytes:
        found = super().read(file)
        return replace(found, data=Cursed(found.data)) if file == "bad.yaml" else found


async def test_a_bug_over_one_file_hides_no_other_and_is_logged_without_its_words(
    tmp_path: Path, logged: list[Any]
) -> None:
    put(tmp_path / "good.yaml", manifest())
    put(tmp_path / "bad.yaml", SECRET)
    async with DirectoryRegistry(tmp_path, disk=Rotten(tmp_path)) as registry:
        await settle(registry)
        assert set(registry.cameras) == {"lobby"}
        assert "see the log" in rules(registry, "bad.yaml")
    told = [line for line in logged if line["event"] == "manifest_unread"]
    assert {(line["file"], line["error"]) for line in told} == {("bad.yaml", "RuntimeError")}
    assert "in documents" in told[0]["traceback"]
    assert SECRET not in str(logged)


async def test_an_empty_file_and_empty_documents_say_nothing(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    put(tmp_path / "empty.yaml", "")
    put(tmp_path / "comments.yaml", "# nothing\n---\n---\n" + manifest() + "---\n")
    await settle(registry)
    assert set(registry.cameras) == {"lobby"}
    assert not registry._shelf.problems


async def test_what_is_no_file_is_a_problem_at_worst(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    put(tmp_path / "good.yaml", manifest())
    (tmp_path / "dir.yaml").mkdir()
    (tmp_path / "dangling.yaml").symlink_to("nowhere")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / os.fsdecode(b"\xff.yaml")).write_text("{")
    await asyncio.wait_for(settle(registry), 5)
    assert set(registry.cameras) == {"lobby"}
    assert len(registry._shelf.problems) == 5


async def test_a_link_to_a_manifest_is_followed_and_only_a_person_changes_it(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    put(tmp_path / "real", manifest())
    (tmp_path / "lobby.yaml").symlink_to("real")
    await settle(registry)
    with pytest.raises(ManagedElsewhere):
        await registry.replace(
            "lobby", msgspec.structs.replace(registry.cameras["lobby"].spec, weight=7), None
        )
    with pytest.raises(ManagedElsewhere):
        await registry.delete("lobby")


async def test_a_directory_that_is_away_changes_nothing_and_is_said(
    registry: DirectoryRegistry, tmp_path: Path
) -> None:
    put(tmp_path / "lobby.yaml", manifest())
    await settle(registry)
    move(tmp_path, tmp_path.with_name("away"))
    with pytest.raises(RegistryUnavailable):
        await registry.look()
    with pytest.raises(RegistryUnavailable):
        await registry.create("door", RTSP, {})
    assert set(registry.cameras) == {"lobby"}
    move(tmp_path.with_name("away"), tmp_path)
    await settle(registry)
    assert set(registry.cameras) == {"lobby"}

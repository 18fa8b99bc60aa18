"""Clients that are not ours read every healthy stream without a word of warning."""

import asyncio
import ssl
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest

from ingest_simulator.camera import Auth, Codec, SimulatedCamera
from ingest_simulator.simulator import Simulator

PASSWORD = "s3cret/:@?#%& ~"
CAMERA = SimulatedCamera(name="cam", width=320, height=240, fps=25, gop=25, clip_seconds=1)
TRANSPORTS = ["tcp", "udp"]


def variants() -> list[SimulatedCamera]:
    change = msgspec.structs.replace
    plain = [change(CAMERA, name=codec, codec=codec) for codec in Codec]
    return [
        *plain,
        *(change(camera, name=f"{camera.name}-sound", audio=True) for camera in plain),
        *(
            change(camera, name=f"{camera.name}-in-band", in_band_parameter_sets_only=True)
            for camera in plain
        ),
        *(change(camera, name=f"{camera.name}-b", b_frames=2) for camera in plain[:2]),
        *(
            change(
                CAMERA,
                name=f"{kind}-{qop}",
                auth=kind,
                qop=qop,
                username="admin",
                password=PASSWORD,
            )
            for kind, qop in (
                (Auth.BASIC, False),
                (Auth.DIGEST_MD5, False),
                (Auth.DIGEST_MD5, True),
            )
        ),
    ]


def login(camera: SimulatedCamera, url: str) -> str:
    if camera.auth is Auth.NONE:
        return url
    return url.replace("://", f"://{camera.username}:{quote(camera.password, safe='')}@")


async def output(*command: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(20):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.communicate()
        return None, "", "took too long"
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_ffmpeg_decodes_every_healthy_stream_without_a_warning(
    simulator: Simulator, transport: str
) -> None:
    async def decode(camera: SimulatedCamera) -> object:
        url = login(camera, await simulator.add(camera))
        options = ["-nostdin", "-v", "warning", "-xerror", "-rtsp_transport", transport]
        # Past the loop of one second, every frame decoded.
        ends = ["-frames:v", "30", "-f", "null", "-"]
        return await output("ffmpeg", *options, "-i", url, *ends)

    cameras = variants()
    results = await asyncio.gather(*map(decode, cameras))
    names = [camera.name for camera in cameras]
    assert dict(zip(names, results, strict=True)) == dict.fromkeys(names, (0, "", ""))


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_ffprobe_finds_what_the_camera_says_it_is(
    simulator: Simulator, transport: str
) -> None:
    entries = "stream=codec_name,width,height,r_frame_rate"

    async def probe(codec: Codec) -> tuple[object, str]:
        url = await simulator.add(msgspec.structs.replace(CAMERA, name=codec, codec=codec))
        options = ["-v", "warning", "-rtsp_transport", transport, "-of", "csv=p=0"]
        code, out, err = await output("ffprobe", *options, "-show_entries", entries, url)
        assert (code, err) == (0, "")
        return codec, out.strip()

    assert dict(await asyncio.gather(*map(probe, Codec))) == {
        Codec.H264: "h264,320,240,25/1",
        Codec.H265: "hevc,320,240,25/1",
        Codec.MJPEG: "mjpeg,320,240,25/1",
    }


async def test_a_stream_behind_tls_is_read_too(clip_folder: Path, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = await output(
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
        *("-subj", "/CN=127.0.0.1", "-keyout", str(key), "-out", str(certificate)),
    )
    assert made[0] == 0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with Simulator(cache=clip_folder, tls=context) as simulator:
        url = await simulator.add(CAMERA)
        assert url.startswith("rtsps://")
        options = ["-nostdin", "-v", "warning", "-rtsp_transport", "tcp", "-i", url]
        assert await output("ffmpeg", *options, "-frames:v", "5", "-f", "null", "-") == (0, "", "")

"""The servers that are loaded: `python -m bench.serving standalone DIR REDIS` or `… bare FILE`.

The first is the whole program on a directory of manifests. The second is aiohttp and nothing else:
GET answers with a file's bytes, POST reads the body. Each prints its port and serves until it is
ended.
"""

import asyncio
import signal
import sys
from pathlib import Path

from aiohttp import web

from ingest_core import logs
from ingest_standalone.program import running
from ingest_standalone.settings import StandaloneSettings

MAX_BODY = 16 * 1024 * 1024


async def standalone(directory: str, redis_url: str) -> None:
    settings = StandaloneSettings(cameras=directory, listen="127.0.0.1:0", redis_url=redis_url)
    async with running(settings) as program:
        await _serve(program.addresses[0].port)


async def bare(file: str) -> None:
    data = await asyncio.to_thread(Path(file).read_bytes)

    async def get(_: web.Request) -> web.Response:
        return web.Response(body=data, content_type="image/jpeg")

    async def post(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({"sequence": 1}, status=202)

    app = web.Application(client_max_size=MAX_BODY)
    app.add_routes([web.get("/{path:.*}", get), web.post("/{path:.*}", post)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port: int = runner.addresses[0][1]
    await _serve(port)
    await runner.cleanup()


async def _serve(port: int) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print(port, flush=True)
    await stop.wait()


if __name__ == "__main__":
    logs.configure("error", "console")
    kind, *rest = sys.argv[1:]
    asyncio.run(standalone(*rest) if kind == "standalone" else bare(*rest))

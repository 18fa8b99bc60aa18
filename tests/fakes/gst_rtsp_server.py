"""A third party's RTSP server: GStreamer's, run by the system's python3 (Debian's packages).

Prints its port once it listens. Serves /h264 and /h265, 320x240 at 10 fps, a ball that moves.
"""

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - after require_version

PATTERN = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=10/1"
ENCODED = "tune=zerolatency speed-preset=ultrafast key-int-max=10"
PIPELINES = {
    "h264": f"x264enc {ENCODED} ! rtph264pay name=pay0 pt=96",
    "h265": f"x265enc {ENCODED} ! rtph265pay name=pay0 pt=96",
}

Gst.init(None)
server = GstRtspServer.RTSPServer.new()
server.set_address("127.0.0.1")
server.set_service("0")
for name, pipeline in PIPELINES.items():
    factory = GstRtspServer.RTSPMediaFactory.new()
    factory.set_launch(f"( {PATTERN} ! videoconvert ! {pipeline} )")
    factory.set_shared(False)  # shared, this server (1.22) aborts when two clients play at once
    server.get_mount_points().add_factory(f"/{name}", factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()

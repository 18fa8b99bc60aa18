"""The others that decode an RTSP camera: commands for ffmpeg, for Motion, and a loop of OpenCV's.

Run as a program (`python -m bench.peers URL`) it is that loop, as tutorials have it: every frame in
colour, grey, blurred, compared with the last one, and encoded as a JPEG.
"""

import os
import sys
from pathlib import Path
from typing import Final

import cv2

from bench.processes import python

OPENCV_ENVIRONMENT: Final = {"OPENCV_FFMPEG_CAPTURE_OPTIONS": "rtsp_transport;tcp"}
_MOTION: Final = """\
daemon off
log_level 3
netcam_url {url}
netcam_params rtsp_transport=tcp
width {width}
height {height}
framerate {fps}
target_dir {folder}
picture_output off
movie_output off
webcontrol_port 0
stream_port 0
"""


def ffmpeg(url: str) -> list[str]:
    quiet = ["ffmpeg", "-hide_banner", "-nostdin", "-v", "error"]
    return [*quiet, "-threads", "1", "-rtsp_transport", "tcp", "-i", url, "-an", "-f", "null", "-"]


def motion(url: str, folder: Path, *, width: int, height: int, fps: int) -> list[str]:
    """Detection as it comes, on every frame, and nothing written."""
    path = folder / "motion.conf"
    path.write_text(
        _MOTION.format(url=url, width=width, height=height, fps=fps, folder=folder), "utf-8"
    )
    return ["motion", "-n", "-c", str(path)]


def opencv(url: str) -> list[str]:
    return python("bench.peers", url)


def loop(url: str) -> None:
    capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG)
    before = None
    while True:
        good, frame = capture.read()
        if not good:
            return
        grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        smooth = cv2.GaussianBlur(grey, (21, 21), 0)
        if before is not None:
            cv2.threshold(cv2.absdiff(before, smooth), 25, 255, cv2.THRESH_BINARY)
        before = smooth
        cv2.imencode(".jpg", frame)


if __name__ == "__main__":
    os.environ.update(OPENCV_ENVIRONMENT)
    loop(sys.argv[1])

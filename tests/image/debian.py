"""A Debian for the image to be built on, where the usual base image cannot be downloaded.

It stands in for `python:3.11-slim-bookworm` through the Dockerfile's own argument: the very file
that users build is what is tested.
"""

import hashlib
import subprocess
from pathlib import Path

RELEASE = "bookworm"
PACKAGES = "python3,python3-venv,python3-pip,ca-certificates"

OPTIONS = ("--variant=minbase", f"--include={PACKAGES}", RELEASE)
KEY = hashlib.sha256(repr(OPTIONS).encode()).hexdigest()[:12]


def bootstrap(root: Path) -> None:
    """Install it into a directory, as root (a minute).

    Raises:
        subprocess.CalledProcessError: It cannot be had.
    """
    command = ["debootstrap", *OPTIONS, str(root), *mirror()]
    subprocess.run(command, check=True, capture_output=True, text=True)


def mirror() -> list[str]:
    """Where apt of this machine gets that release from; nothing: debootstrap knows where."""
    described = "$(CODENAME) $(COMPONENT) $(REPO_URI)"
    command = ["apt-get", "indextargets", "--format", described, "Created-By: Packages"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    known = (line.split(" ") for line in done.stdout.splitlines())
    places = [place for release, part, place in known if (release, part) == (RELEASE, "main")]
    return places[:1]

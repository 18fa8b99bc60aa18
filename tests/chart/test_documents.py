"""The chart's README has every value; the guide of its image has every command."""

import json
import re

import yaml

from ingest_standalone.cli import make_parser
from tests.chart.rendering import FOLDER, ROOT, leaves
from tools import chart as made

VALUES = yaml.safe_load((FOLDER / "values.yaml").read_text())


def test_the_readme_is_made_of_the_values() -> None:
    assert (FOLDER / "README.md").read_text() == made.readme(), "run: make docs"


def test_the_readme_has_every_value_with_its_default_and_a_meaning() -> None:
    rows = [line.split(" | ") for line in made.readme().splitlines() if line.startswith("| `")]
    told = {name.strip("| `"): json.loads(default.strip("`")) for name, default, _ in rows}
    inner = {f"{path}." for path in told}
    for path, value in leaves(VALUES):
        if not any(path.startswith(start) for start in inner):
            assert told[path] == value
    assert all(meaning.strip(" |") for _, _, meaning in rows)


def test_the_guide_of_containers_names_every_command() -> None:
    (said,) = re.findall(r"says which: (.*?)\.", (ROOT / "docs/guide/container.md").read_text())
    (commands,) = (one for one in make_parser()._actions if one.metavar == "COMMAND")
    assert set(re.findall(r"`(\w+)`", said)) == set(commands.choices or ())

"""The chart's CRDs are the project's."""

import yaml

from tests.chart.rendering import FOLDER, ROOT, Chart

OURS = {file.name: file.read_text() for file in (ROOT / "crds").glob("*.yaml")}


def test_the_chart_ships_the_very_files_of_crds() -> None:
    shipped = FOLDER / "charts" / "crds" / "crds"
    assert {file.name: file.read_text() for file in shipped.glob("*.yaml")} == OURS


def test_an_installation_begins_with_them_unless_told_otherwise(chart: Chart) -> None:
    for install in (True, False):
        objects = chart.render({"crds": {"install": install}}, "--include-crds")
        crds = [one for one in objects if one["kind"] == "CustomResourceDefinition"]
        assert crds == ([yaml.safe_load(OURS[name]) for name in sorted(OURS)] if install else [])

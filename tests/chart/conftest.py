"""The chart's fixture: Helm, built from its module; where that cannot be, the tests are skipped."""

import pytest

from tests.chart.rendering import Chart
from tests.cluster.binaries import HELM, Unavailable


@pytest.fixture(scope="session")
def chart() -> Chart:
    try:
        return Chart(HELM.built())
    except Unavailable as error:
        pytest.skip(str(error))

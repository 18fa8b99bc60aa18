"""What every suite shares: a summary of what ran, and hypothesis without a clock or chance."""

import os
import signal
from collections import Counter, defaultdict

import pytest
from hypothesis import settings

pytest_plugins = ["tests.cluster.plugin"]

NO_SKIPS = "CAMERA_INGEST_NO_SKIPS"  # set by .ci/run: a suite that was skipped has failed

# Under nohup it is ignored, and so it is by what tests start, as it should be: but some send it.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

settings.register_profile("suite", deadline=None, derandomize=True, max_examples=100)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which suites ran and what could not, and why."""
    ran: dict[str, Counter[str]] = defaultdict(Counter)
    reasons: Counter[tuple[str, str]] = Counter()
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.getreports(outcome):
            suite = report.nodeid.split("/")[1]
            ran[suite][outcome] += 1
            if outcome == "skipped":
                longrepr = report.longrepr
                why = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
                reasons[suite, why.removeprefix("Skipped: ")] += 1
    terminalreporter.section("suites")
    for suite, counts in sorted(ran.items()):
        told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
        terminalreporter.line(f"{suite:12} {told}")
    for (suite, why), count in sorted(reasons.items()):
        terminalreporter.line(f"not run: {count} of {suite}: {why}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything can run, a skip is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get(NO_SKIPS) and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED

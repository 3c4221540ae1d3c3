"""One process for all readers of a session, and a summary of what was tried."""

import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from bounded import Outcome, Worker

# Of the tests whose made-up files are damaged here.
sys.path[:0] = [str(Path(__file__).parents[1] / "unit" / name) for name in ("annotations", "model")]

_outcomes: dict[str, list[Outcome]] = defaultdict(list)


@pytest.fixture(scope="session")
def worker():
    worker = Worker()
    yield worker
    worker.stop()


@pytest.fixture
def answer(worker, request):
    """Calls a reader within its bounds, and counts the case for the summary."""
    name = request.node.originalname.removeprefix("test_").replace("_", " ")
    if writer := getattr(request.node, "callspec", None) and request.node.callspec.params.get("writer"):
        name = f"{name}: {writer}"

    def ask(read, *arguments, **bounds):
        outcome = worker.answer(read, *arguments, **bounds)
        _outcomes[name].append(outcome)
        return outcome

    return ask


def pytest_terminal_summary(terminalreporter):
    if not _outcomes:
        return
    terminalreporter.section("files read")
    for name, outcomes in _outcomes.items():
        kinds = Counter(outcome.kind for outcome in outcomes)
        slowest = max(outcome.seconds for outcome in outcomes)
        largest = max(outcome.megabytes for outcome in outcomes)
        terminalreporter.line(
            f"{name}: {len(outcomes):,} cases, {kinds['result']:,} results, {kinds['message']:,} messages, "
            f"at most {slowest:.2f} s and {largest:,.0f} MB"
        )
    terminalreporter.line(f"all: {sum(map(len, _outcomes.values())):,} cases")

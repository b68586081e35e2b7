"""Ten thousand schedules of disasters (tests/simulation), and that they would find what was once wrong.

In processes of their own: coverage would make them several times slower, and both processors have something to do.
"""

import os
import subprocess
import sys

import pytest

from tests.processes import ROOT


def simulate(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """`python -m tests.simulation` with these arguments."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *words],
        cwd=ROOT,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )


@pytest.mark.timeout(900)
def test_nothing_that_may_never_happen_does_in_two_thousand_schedules() -> None:
    run = simulate("--schedules", "2000", "--seed", "make test")
    print(run.stdout, run.stderr)
    assert run.returncode == 0


@pytest.mark.timeout(900)
def test_each_of_the_old_faults_is_found_when_it_is_put_back() -> None:
    run = simulate("--old-faults")
    print(run.stdout, run.stderr)
    assert run.returncode == 0


@pytest.mark.parametrize("seed", ["same.1"])
def test_the_same_seed_tells_the_same_story(seed: str) -> None:
    one, other = (simulate("--replay", seed, PYTHONHASHSEED=salt).stdout for salt in ("1", "2"))
    assert one == other
    assert one.count("\n") > 50

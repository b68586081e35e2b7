"""How long a fuzz target runs: for seconds with all other tests, for minutes with `make fuzz`.

What once broke something stands at its target as an `@example`, and is tried first, each time.
"""

import os
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings

Target = TypeVar("Target", bound=Callable[..., Any])

#: Times as many examples as usual.
FACTOR = int(os.environ.get("FUZZ_FACTOR", "1"))


def fuzz(examples: int) -> Callable[[Target], Target]:
    """Decorate a target: it is given so many examples, times FUZZ_FACTOR; no single one has to be fast."""
    allowed = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
    chosen: Callable[[Target], Target] = settings(
        max_examples=examples * FACTOR, deadline=None, suppress_health_check=allowed
    )
    return chosen

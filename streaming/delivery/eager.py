"""Runs a coroutine here and now as far as it gets, and makes a task only of what has to wait.

Sending to a WebSocket nearly always finishes without waiting. `await` would tie the sweep over all clients to the one
that does wait; a task for each send costs more than the send. (Python 3.12 has eager tasks for the first half of this;
they still make a task each time, and we support 3.11.)
"""

import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any


def begin(coroutine: Coroutine[Any, Any, None]) -> Awaitable[None] | None:
    """Run `coroutine` until it waits for something.

    Returns None where it finished without waiting; otherwise its rest, which the caller must await (in a task of its
    own, as a rule). Raises what the coroutine raises before its first wait.
    """
    try:
        waits_for = coroutine.send(None)
    except StopIteration:
        return None
    return _go_on(coroutine, waits_for)


@types.coroutine
def _go_on(coroutine: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """Hand on what `coroutine` waits for to the running task, and the answers back, as `await` does (PEP 380)."""
    while True:
        try:
            answer = yield waits_for
        except BaseException as error:  # a cancellation, above all: it belongs to the coroutine
            step: Callable[[Any], Any] = coroutine.throw
            argument: Any = error
        else:
            step = coroutine.send
            argument = answer
        try:
            waits_for = step(argument)
        except StopIteration:
            return

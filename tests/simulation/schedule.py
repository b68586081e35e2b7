"""One schedule: a world, its faults, a while to come to rest, and the verdict."""

import gc
import logging
import random
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from streaming.delivery import catch_up, turns
from tests.simulation.checks import check_all
from tests.simulation.faults import Fault, arrange, draw_faults
from tests.simulation.world import World

#: Simulated seconds in which faults happen, and that are left to come to rest.
SHORTEST_S, LONGEST_S = 2.5, 5.0
REST_S = 4.5


class Verdict(NamedTuple):
    """What came of a schedule."""

    seed: str
    violations: list[str]
    faults: list[Fault]
    published: int
    received: int
    told: int
    steps: int
    story: list[str]


class Storyteller(logging.Handler):
    """Puts the product's own log into the story."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    def emit(self, record: logging.LogRecord) -> None:
        self.world.tell(f"{record.name} says: {record.getMessage()}")


def run_schedule(seed: str, *, is_told: bool = False, faults: list[Fault] | None = None) -> Verdict:
    """Run the schedule of `seed`; with its story where `is_told`. `faults`: those instead of its own."""
    world = World(seed, is_told=is_told)
    end = world.chance.uniform(SHORTEST_S, LONGEST_S)
    drawn = draw_faults(random.Random(f"faults {seed}"), world, end)
    chosen = drawn if faults is None else faults
    world.begin()
    for fault in chosen:
        arrange(world, fault)
    for client in world.clients:
        for _ in range(world.chance.choice((0, 1, 1, 2, 4))):
            world.loop.later(end * world.chance.random(), client.hop)
    with listening(world):
        try:
            world.loop.run_until(end)
            world.heal()
            world.loop.run_until(end + REST_S)
            world.come_to_rest()
            violations = check_all(world, end)
        except Exception as error:  # a schedule that fails otherwise is a finding, too, with its seed
            trace = traceback.format_exc() if is_told else str(error)
            violations = [*world.watch.violations, f"{type(error).__name__}: {trace}"]
        world.end()
    received = sum(len(ledger) for client in world.clients for ledger in client.ledgers)
    told = sum(client.told for client in world.clients)
    return Verdict(seed, violations, chosen, len(world.watch.order), received, told, world.loop.steps, world.story)


@contextmanager
def listening(world: World) -> Iterator[None]:
    """Hear the product's log where the story is told; else save the time that it takes."""
    if not world.is_told:
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
        return
    handler = Storyteller(world)
    loggers = [logging.getLogger(name) for name in ("streaming", "metrics")]
    before = [(logger, logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, level, propagate in before:
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate


@contextmanager
def small_sizes() -> Iterator[None]:
    """Pages, bursts and turns of few snapshots, so that few are enough to need several; and no garbage meanwhile."""
    sizes = (catch_up.PAGE, catch_up.BURST, turns.STEPS)
    catch_up.PAGE, catch_up.BURST, turns.STEPS = 3, 2, 2
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of coroutines that a kill has kept from being awaited
            yield
    finally:
        gc.enable()
        catch_up.PAGE, catch_up.BURST, turns.STEPS = sizes

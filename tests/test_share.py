"""What a share link shows of messages and rows: nothing that is not shared has any part in it."""

import asyncio
import json
import logging
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from access.share import ALWAYS, INCOMPARABLE, Base, Share, describe_change, metrics_shown, show_message, show_row
from access.viewer import Admission, Viewer
from metrics.catalogue import CATALOGUE, METRICS, Group, SourceKind
from metrics.reading import Problem
from metrics.snapshot import KEYS
from streaming.delivery.client import Client
from streaming.delivery.sharing import show_frame
from streaming.log_filters import DiscreetFormatter
from streaming.web.shared_history import bucket_columns, snapshot_columns
from streaming.wire import Frame
from tests.hubs import make_hub

AMOUNTS = [metric for metric in CATALOGUE if metric.unit == "currency"]
PARTS = ("min", "mean", "max", "last")


def make_message(chance: Random) -> dict[str, Any]:
    """A message with anything in it; its amounts scale without rounding."""
    parts: dict[str, Any] = {}
    for metric in CATALOGUE:
        anything = chance.choice(["bull", "bear"]) if metric.type is str else chance.randint(0, 10**7) / 128
        parts[metric.key] = chance.choice([None, anything, anything])
    parts |= {"timestamp": 1735174460.123, "datetime": "2024-12-26T00:54:20.123Z", "interval": 3.0}
    parts |= {"id": 1735174460123, "previous": 1735174457123}
    parts["sources"] = {group.value: chance.choice(list(SourceKind)).value for group in Group}
    parts["problems"] = {key: chance.choice(list(Problem)).value for key in METRICS if chance.random() < 0.3}
    parts["observed"] = {group.value: chance.uniform(1.7e9, 1.8e9) for group in Group if chance.random() < 0.5}
    message = {key: parts[key] for key in KEYS}
    return message | chance.choice([{}, {"missed": {"after": 1735174450000, "before": message["id"]}}])


def make_share(chance: Random) -> Share:
    """What a link may show."""
    groups = frozenset(chance.sample(list(Group), chance.randint(1, len(Group))))
    known = [metric for metric in AMOUNTS if chance.random() < 0.8]
    bases = tuple(
        Base(metric.key, chance.choice([-1, 1]) * chance.randint(10**5, 10**7) / 128, chance.random() < 0.5)
        for metric in known
    )
    return Share(groups, chance.choice([None, bases, bases]))


#: From a seed: hypothesis would take a second for five of them.
messages = st.integers(0, 2**32).map(lambda seed: make_message(Random(seed)))
shares = st.integers(0, 2**32).map(lambda seed: make_share(Random(seed)))


def merge(shown: dict[str, Any], other: dict[str, Any], share: Share) -> dict[str, Any]:
    """A message in which all that `share` shows is as in `shown`, and all the rest as in `other`."""
    keys = {metric.key for metric in CATALOGUE if metric.group in share.groups}
    merged = {key: shown[key] if key in ALWAYS or key in keys else other[key] for key in KEYS}
    for part, its_keys in ("sources", share.groups), ("observed", share.groups), ("problems", keys):
        merged[part] = {key: value for key, value in other[part].items() if key not in its_keys}
        merged[part] |= {key: value for key, value in shown[part].items() if key in its_keys}
    return merged | ({"missed": shown["missed"]} if "missed" in shown else {})


@settings(deadline=None)
@given(messages, messages, shares)
def test_what_is_not_shared_makes_no_difference(message: dict[str, Any], other: dict[str, Any], share: Share) -> None:
    shown = show_message(message, share)
    again = show_message(merge(message, other, share), share)
    assert shown == again
    assert "missed" not in message or shown["missed"] == message["missed"]
    assert "missed" in message or json.dumps(shown) == json.dumps(again)  # the order, too


@settings(deadline=None)
@given(messages, shares)
def test_no_key_of_another_group_is_in_it_nor_an_amount_that_is_hidden(message: dict[str, Any], share: Share) -> None:
    shown = show_message(message, share)
    own = {metric.key for metric in metrics_shown(share).values()}
    assert set(shown) == (ALWAYS & set(message)) | own | {"sources", "problems", "observed"}
    assert set(shown["problems"]) <= own
    assert set(shown["sources"]) | set(shown["observed"]) <= share.groups
    if share.bases is not None:
        assert not own & {metric.key for metric in AMOUNTS}


@settings(deadline=None)
@given(messages, shares, st.sampled_from([2, 64, 1024]))
def test_nothing_tells_how_large_hidden_amounts_are(message: dict[str, Any], share: Share, factor: int) -> None:
    """The same changes of amounts a thousand times as large look the same: so the base cannot be told from them."""
    if share.bases is None:
        return
    larger = Share(share.groups, tuple(base._replace(value=base.value * factor) for base in share.bases))
    amounts = {m.key: message[m.key] * factor for m in AMOUNTS if message[m.key] is not None}
    assert show_message(message | amounts, larger) == show_message(message, share)


@pytest.mark.parametrize("kind", ["mock", "redis"])
def test_a_change_is_shown_only_between_two_real_or_two_simulated_amounts(kind: str) -> None:
    share = Share(frozenset({Group.PORTFOLIO}), (Base("pnl", 125_000.0, is_simulated=False),))
    message = {"pnl": 123_750.0, "sources": {"portfolio": kind, "ai": "mock"}, "problems": {}, "observed": {}}
    shown = show_message(message, share)
    assert shown["pnl_change"] == (-1.0 if kind == "redis" else None)
    assert shown["problems"] == ({} if kind == "redis" else {"pnl_change": INCOMPARABLE})
    row = {"time": 0.0, "count": 2, "problems": 1, "sources": {"portfolio": [kind]}}
    row |= {metric.key: dict.fromkeys(PARTS, 123_750.0) for metric in CATALOGUE}
    assert show_row(row, share)["pnl_change"] == dict.fromkeys(PARTS, shown["pnl_change"])
    mixed = show_row(row | {"sources": {"portfolio": ["mock", "redis"]}}, share)
    assert mixed["pnl_change"] == dict.fromkeys(PARTS)


def test_a_loss_that_shrinks_is_a_gain() -> None:
    share = Share(frozenset({Group.PORTFOLIO}), (Base("pnl", -2000.0, is_simulated=False),))
    assert show_message({"pnl": -1500.0, "sources": {"portfolio": "redis"}}, share)["pnl_change"] == 25.0


@settings(deadline=None)
@given(shares)
def test_the_columns_are_those_of_the_message(share: Share) -> None:
    own = [metric.key for metric in metrics_shown(share).values()]
    names = [column.name for column in snapshot_columns(share)]
    assert [name for name in names if name in own] == own
    others = {metric.key for metric in CATALOGUE} - set(own)
    others |= {group.source_column for group in Group if group not in share.groups}
    assert not others & set(names)
    in_buckets = {column.name for column in bucket_columns(share)}
    assert not {f"{key}_{part}" for key in others for part in PARTS} & in_buckets
    assert not others & in_buckets


def test_the_change_of_an_amount_is_shown_in_percent() -> None:
    change = describe_change(METRICS["pnl"])
    assert (change.label, change.unit, change.decimals) == ("Profit and loss, change", "%", 2)
    assert change.is_hero


# --- the stream ---

AI = Share(frozenset({Group.AI}))


def make_frame(number: int) -> Frame:
    values = {"cpu": 1.0, "accuracy": 0.5, "pnl": float(number)}
    message = {**values, "id": number, "previous": number - 1, "sources": {"ai": "mock", "portfolio": "mock"}}
    return Frame(number, number - 1, 1, json.dumps(message))


def test_what_a_link_shows_is_encoded_once_per_snapshot_whoever_looks_and_resumes() -> None:
    """1,000 viewers of one link, then 1,000 that resume; somebody else beside them gets everything."""

    async def scenario() -> None:
        show_frame.cache_clear()
        hub = make_hub(keep=100)
        received: dict[int, list[Any]] = {}

        def join(number: int, admission: Admission | None, since: int | None) -> Client:
            got: list[Any] = received.setdefault(number, [])

            async def send(message: Any) -> None:
                got.append(json.loads(message["text"]))

            return hub.join(send, since=since, admission=admission)

        def admit() -> Admission:  # of as many links as there are connections: equal shares share the encoding, too
            return Admission(Viewer("Link", "link:1", share=Share(frozenset({Group.AI}))))

        for number in range(1000):
            join(number, admit(), None)
        join(-1, None, None)
        for number in range(1, 21):
            await hub.pass_on(make_frame(number))
        assert show_frame.cache_info().misses == 20
        for number in range(1000, 2000):
            join(number, admit(), 0)
        async with asyncio.timeout(20):
            while any(len(got) < 20 for got in received.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert show_frame.cache_info().misses == 20
        for number, got in received.items():
            assert [message["id"] for message in got] == list(range(1, 21))
            assert all(("pnl" in message) == (number == -1) for message in got)
        await hub.aclose()

    asyncio.run(scenario())


def test_a_viewer_of_a_link_is_told_of_a_hole() -> None:
    frame = make_frame(9).after_a_hole(3)
    shown = json.loads(show_frame(frame, AI).text)
    assert shown["missed"] == {"after": 3, "before": 9}
    assert "pnl" not in shown


# --- the log ---


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("Not Found: /share/abc-DEF_123/stream/latest", "Not Found: /share/…/stream/latest"),
        ('"GET /stream/latest?token=qtd_abcdefgh HTTP/1.1" 400', '"GET /stream/latest?token=qtd_… HTTP/1.1" 400'),
        ("Not Found: /stream/nothing", "Not Found: /stream/nothing"),
    ],
)
def test_what_opens_a_door_is_not_written_into_the_log(said: str, written: str) -> None:
    record = logging.LogRecord("django.request", logging.WARNING, "", 0, "%s", (said,), None)
    assert DiscreetFormatter("%(message)s").format(record) == written
    try:
        raise ValueError(said)
    except ValueError as error:
        record.exc_info = (ValueError, error, error.__traceback__)
    assert "abc" not in DiscreetFormatter("%(message)s").format(record).replace("qtd_…", "")

"""What a connection's application receives."""

import asyncio

import pytest

from streaming.mailbox import Mailbox


def test_what_came_is_received_in_order_at_once_and_later() -> None:
    async def scenario() -> None:
        mailbox = Mailbox()
        mailbox.put_nowait({"type": "1"})
        mailbox.put_nowait({"type": "2"})
        assert (mailbox.empty(), mailbox.qsize()) == (False, 2)
        assert [(await mailbox.get())["type"] for _ in range(2)] == ["1", "2"]
        assert (mailbox.empty(), mailbox.qsize()) == (True, 0)
        assert mailbox, "Daphne would take it for none"
        reading = asyncio.create_task(mailbox.get())
        await asyncio.sleep(0)
        mailbox.put_nowait({"type": "3"})
        mailbox.put_nowait({"type": "4"})
        assert (await reading)["type"] == "3"
        assert (await mailbox.get())["type"] == "4"

    asyncio.run(scenario())


def test_a_reader_that_is_cancelled_loses_nothing_and_makes_room() -> None:
    async def scenario() -> None:
        mailbox = Mailbox()
        reading = asyncio.create_task(mailbox.get())
        await asyncio.sleep(0)
        mailbox.put_nowait({"type": "1"})
        reading.cancel()  # it was woken, and did not get to it
        await asyncio.wait([reading])
        assert reading.cancelled()
        assert (await mailbox.get())["type"] == "1"

    asyncio.run(scenario())


def test_a_second_reader_is_told() -> None:
    async def scenario() -> None:
        mailbox = Mailbox()
        reading = asyncio.create_task(mailbox.get())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="Another task"):
            await mailbox.get()
        reading.cancel()

    asyncio.run(scenario())

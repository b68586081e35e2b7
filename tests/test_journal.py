"""The journal: what is published and not stored survives the process."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from metrics.history.journal import Journal
from metrics.snapshot import EncodedSnapshot
from tests.processes import ROOT, wait_until
from tests.test_history import START, make_snapshot

MESSAGES = [make_snapshot(START + n, regime='"bull"\n{é—}').to_encoded(n // 5) for n in range(20)]


def append(journal: Journal, messages: list[EncodedSnapshot]) -> None:
    for message in messages:
        journal.append(message)


def test_what_a_process_that_is_gone_left_comes_back_as_it_was_oldest_first(tmp_path: Path) -> None:
    later, earlier = Journal(tmp_path), Journal(tmp_path)
    append(later, MESSAGES[12:])
    append(earlier, MESSAGES[:14])
    later.close()
    earlier.close()
    assert Journal(tmp_path).recover() == MESSAGES


def test_what_a_living_process_has_is_its_own(tmp_path: Path) -> None:
    living = Journal(tmp_path)
    append(living, MESSAGES)
    assert Journal(tmp_path).recover() == []
    assert living.recover() == []
    living.close()


def test_two_who_recover_at_once_do_not_get_the_same(tmp_path: Path) -> None:
    gone = Journal(tmp_path)
    append(gone, MESSAGES)
    gone.close()
    first, second = Journal(tmp_path), Journal(tmp_path)
    assert first.recover() == MESSAGES
    assert second.recover() == []
    first.close()  # before it was stored
    assert second.recover() == MESSAGES
    second.forget_recovered()
    assert Journal(tmp_path).recover() == []
    assert len(list(tmp_path.iterdir())) == 1  # where the newest is named


def test_what_was_cleared_does_not_come_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    append(journal, MESSAGES[:10])
    journal.clear()
    append(journal, MESSAGES[10:12])
    journal.close()
    assert Journal(tmp_path).recover() == MESSAGES[10:12]


def test_of_a_journal_that_was_cleared_only_the_name_of_the_newest_is_left(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "new")
    append(journal, MESSAGES)
    journal.clear()
    journal.close()
    (file,) = (tmp_path / "new").iterdir()
    assert file.stat().st_size < 60
    newest = (MESSAGES[-1].id, MESSAGES[-1].term)
    for _ in range(3):  # starts, none of which appends anything
        following = Journal(tmp_path / "new")
        assert following.recover() == []
        assert following.newest == newest
        following.forget_recovered()
        following.close()
        assert len(list((tmp_path / "new").iterdir())) == 1


def test_the_newest_is_the_one_with_the_highest_id_whoever_had_it(tmp_path: Path) -> None:
    for messages in (MESSAGES[:5], MESSAGES[5:9], MESSAGES[3:4]):
        journal = Journal(tmp_path)
        append(journal, messages)
        journal.clear()
        assert journal.newest == (messages[-1].id, messages[-1].term)
        journal.close()
    following = Journal(tmp_path)
    following.recover()
    assert following.newest == (MESSAGES[8].id, MESSAGES[8].term)


def test_a_journal_in_which_nothing_was_kept_leaves_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.clear()
    journal.forget_recovered()
    journal.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "torn", [b"\n", b'{"term":1', b'{"term":x,"id":1}\n', b"\xff\xfe\n", b'{"term":1,"id":true}\n']
)
def test_a_line_that_is_none_costs_nothing_but_itself(tmp_path: Path, torn: bytes) -> None:
    journal = Journal(tmp_path)
    append(journal, MESSAGES)
    journal.close()
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes() + torn)
    assert Journal(tmp_path).recover() == MESSAGES


def test_a_last_line_that_is_torn_costs_nothing_but_itself(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    append(journal, MESSAGES)
    journal.close()
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-20])
    assert Journal(tmp_path).recover() == MESSAGES[:-1]


def test_it_keeps_the_newest_and_does_not_grow_for_ever(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment=3)
    append(journal, MESSAGES)
    assert len(list(tmp_path.iterdir())) == 2
    journal.close()
    assert Journal(tmp_path).recover() == MESSAGES[15:]


def test_a_file_that_somebody_removes_is_begun_anew(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    append(journal, MESSAGES[:5])
    for file in tmp_path.iterdir():
        file.unlink()
    append(journal, MESSAGES[5:])
    journal.close()
    assert Journal(tmp_path).recover() == MESSAGES[5:]


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file of this process may grow beyond `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_disk_that_is_full_is_told_once_leaves_no_half_line_and_is_over_when_there_is_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(tmp_path)
    append(journal, MESSAGES[:2])
    (file,) = tmp_path.iterdir()
    with files_of_at_most(file.stat().st_size + 100):
        append(journal, MESSAGES[2:6])
        assert str(tmp_path) in journal.error
    append(journal, MESSAGES[6:])
    assert journal.error == ""
    assert [record.levelname for record in caplog.records if "journal" in record.name] == ["WARNING", "INFO"]
    journal.close()
    assert Journal(tmp_path).recover() == MESSAGES[:2] + MESSAGES[6:]


def test_the_folder_of_the_journal_is_made_but_not_the_one_that_it_is_to_be_in(tmp_path: Path) -> None:
    """That one may be where a disk is to be mounted."""
    journal = Journal(tmp_path / "missing" / "journal")
    append(journal, MESSAGES)
    assert "No such file or directory" in journal.error
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "missing").mkdir()
    append(journal, MESSAGES)
    assert journal.error == ""
    journal.close()


def test_a_folder_that_cannot_be_made_is_an_error_and_no_exception(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    journal = Journal(tmp_path / "file" / "journal")
    append(journal, MESSAGES)
    assert "Not a directory" in journal.error
    assert journal.recover() == []
    journal.clear()
    journal.close()


def test_a_process_that_is_killed_leaves_all_that_it_appended(tmp_path: Path) -> None:
    code = (
        "import os, sys, time; os.environ['SECRET_KEY'] = 'long-enough-for-a-test-of-a-journal'\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'quantum_dashboard.settings'; import django; django.setup()\n"
        "from pathlib import Path; from metrics.history.journal import Journal\n"
        "from tests.test_journal import MESSAGES\njournal = Journal(Path(sys.argv[1]))\n"
        "for message in MESSAGES: journal.append(message)\n"
        "print('appended', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"appended\n"
    assert Journal(tmp_path).recover() == []
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    wait_until(lambda: Journal(tmp_path).recover() == MESSAGES)

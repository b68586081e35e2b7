"""All looks, one after the other."""

from collections.abc import Iterator

from django.db import Error as DatabaseError

from metrics.database_errors import explain_database_error
from streaming.doctor.finding import Finding, Look
from streaming.doctor.of_database import examine_clock, examine_disk, examine_migrations, examine_waste
from streaming.doctor.of_machine import examine_files, examine_queue, examine_static_files
from streaming.doctor.of_redis import examine_metrics_redis, examine_streams_redis
from streaming.doctor.of_settings import examine_proxies, examine_settings
from streaming.doctor.of_site import examine_site

#: What each look is at, and the look.
LOOKS: dict[str, Look] = {
    "settings": examine_settings,
    "proxies": examine_proxies,
    "open files": examine_files,
    "somaxconn": examine_queue,
    "static files": examine_static_files,
    "database": examine_migrations,
    "database's clock": examine_clock,
    "disk": examine_disk,
    "vacuum": examine_waste,
    "Redis": examine_streams_redis,
    "metrics' Redis": examine_metrics_redis,
}


def examine(url: str | None) -> Iterator[Finding]:
    """Look at everything (blocking), and at the site at `url`; whatever a look meets, the others follow."""
    looks = LOOKS if url is None else {**LOOKS, "site": lambda: examine_site(url)}
    for subject, look in looks.items():
        try:
            yield from look()
        except DatabaseError as error:
            yield Finding(subject, "the database does not tell", explain_database_error(error))
        except OSError as error:
            yield Finding(subject, f"cannot be looked at: {error}", "type it as the user that serves")

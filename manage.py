#!/usr/bin/env python
"""Django's command line."""

import gc
import os
import platform
import sys

# Where it is started by a link that an upgrade turns to other code: what is imported later on is still of this one.
sys.path[:] = map(os.path.realpath, sys.path)

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from quantum_dashboard import __version__


def describe_version() -> str:
    """What a report of a fault should name."""
    return f"Quantum Trader Dashboard {__version__} (Django {django.get_version()}, Python {platform.python_version()})"


def main() -> None:
    """Run the command; a wrong setting is a message, not a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quantum_dashboard.settings")
    gc.disable()  # what is imported is no garbage; looking for it takes a seventh of a start. streaming.apps enables it
    if sys.argv[1:] in (["version"], ["--version"]):  # Django would name its own alone, as `django-admin version` does
        sys.stdout.write(f"{describe_version()}\n")
        return
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"The dashboard cannot start. {error}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python
"""Django's command line."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main() -> None:
    """Run the command; a wrong setting is a message, not a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quantum_dashboard.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"The dashboard cannot start. {error}")


if __name__ == "__main__":
    main()

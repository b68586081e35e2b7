"""Secrets as files: a container platform and systemd hand them over as such, so that no list of processes shows them.

`DATABASE_URL_FILE=/run/secrets/database-url` has the same effect as `DATABASE_URL` with what is in that file. Nothing
is put into the environment: whatever this process starts reads the file anew, also one that was changed meanwhile.
"""

import os
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from environs import Env

#: The settings that may be given so: each is a secret, or an address that may hold a password.
SECRETS = {
    "SECRET_KEY",
    "DATABASE_URL",
    "REDIS_URL",
    "METRICS_REDIS_URL",
    "EMAIL_URL",
    "OIDC_CLIENT_SECRET",
    "DJANGO_SUPERUSER_PASSWORD",
}


class Environment(Env):
    """environs' Env, which takes a secret from its file where the environment (or `.env`) names one.

    environs has a FileAwareEnv; that one takes a file for any setting, an empty one too, and does not see that a value
    is set as well.
    """

    def _get_value(self, env_key: str, default: Any) -> Any:
        """The value of a setting: the environment wins over `.env`, for files as for values.

        Raises ImproperlyConfigured where one place has both, or a file is of no use.
        """
        name = f"{env_key}_FILE"
        for place, where in ((os.environ, "the environment"), (self._environ, ".env")):
            if env_key in SECRETS and (path := place.get(name)):
                if place.get(env_key):
                    raise ImproperlyConfigured(f"Both {env_key} and {name} are set in {where}: unset one of them.")
                return read_secret(name, Path(path))
            if env_key in place:
                break
        return super()._get_value(env_key, default)


def read_secret(name: str, path: Path) -> str:
    """What the file `path` holds, without the newline at its end; `name`: the setting. Raises ImproperlyConfigured."""
    try:
        secret = path.read_text(encoding="utf-8")
    except OSError as error:
        who = f"the user {os.geteuid()} (see `id`) must be able to read it"
        raise ImproperlyConfigured(f"{name}: {path} cannot be read ({error.strerror}): {who}.") from None
    except UnicodeDecodeError:
        raise ImproperlyConfigured(f"{name}: {path} is no text (UTF-8).") from None
    secret = secret.removesuffix("\n").removesuffix("\r")
    if not secret:
        raise ImproperlyConfigured(f"{name}: {path} is empty. Write the value into it, or unset {name}.")
    return secret

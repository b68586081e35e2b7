"""Every setting, read from the environment (and `.env`) through environs.

A wrong value stops the start with a message that names its variable. `.env.example` shows them all. Each secret may be
a file instead (secret_files.py).
"""

import math
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from environs import EnvError, EnvValidationError, ValidationError, validate
from redis.connection import parse_url as parse_redis_url

from access.exposure import explain_exposed_debug, explain_weak_key
from access.mode import Mode, decide_mode
from quantum_dashboard import __version__
from quantum_dashboard.content_policy import SECURITY_HEADERS, make_policy
from quantum_dashboard.secret_files import Environment

BASE_DIR = Path(__file__).resolve().parent.parent
# The dashboard's own version.
VERSION: str = __version__

env = Environment(eager=False)  # not eager: all wrong values are reported together, by env.seal() below
env.read_env(BASE_DIR / ".env", recurse=False)
for name in (
    "DEBUG",
    "ALLOWED_HOSTS",
    "ACCESS",
    "STREAM_CONNECTIONS_PER_VIEWER",
    "AUDIT_LOG",
    "AUDIT_RETENTION",
    "SESSION_IDLE",
    "SESSION_LIFETIME",
    "REQUIRE_MFA",
    "TRUSTED_PROXIES",
    "CONNECTIONS",
    "CONNECTIONS_PER_ADDRESS",
    "EMAIL_URL",
    "EMAIL_FROM",
    "OIDC_SERVER_URL",
    "OIDC_CLIENT_ID",
    "OIDC_CLIENT_SECRET",
    "OIDC_NAME",
    "OIDC_GROUP",
    "HTTPS",
    "CSP_REPORT_URL",
    "DATABASE_URL",
    "REDIS_URL",
    "METRICS_REDIS_URL",
    "STREAM_INTERVAL",
    "CURRENCY",
    "STREAM_ALLOWED_ORIGINS",
    "STREAM_PUBLISHER",
    "HISTORY_RETENTION",
    "HISTORY_EXPORTS",
    "STREAM_JOURNAL",
    "STREAM_REPLAY",
    "STREAM_SEND_TIMEOUT",
    "STREAM_DRAIN",
    "MOCK_SEED",
    "LOG_LEVEL",
    "LOG_FORMAT",
):
    if os.environ.get(name) == "":  # set to nothing, as deployment tools do, means not set
        del os.environ[name]


def redis_url(value: str) -> None:
    """Refuse what redis-py would refuse later, without repeating a password in the message."""
    try:
        parse_redis_url(value)  # type: ignore[no-untyped-call]
    except ValueError as error:
        message = "Not a Redis URL: use redis://[user:password@]host:port/db, rediss:// or unix://."
        raise ValidationError(message) from error


def origin(value: str) -> None:
    """Accept `*`, `null`, `https://host[:port]` or `host`."""
    parts = urlsplit(value if "://" in value else f"//{value}")
    if value not in {"*", "null"} and (not parts.hostname or parts.path or parts.query):
        raise ValidationError(f"{value!r} is not an origin: use https://host[:port], or * for all.")


def address_of_server(value: str) -> None:
    """Accept https://host/…, or http:// for tests."""
    parts = urlsplit(value)
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise ValidationError(f"{value!r} is not an address: use https://host/path.")


def read_duration(name: str, default: timedelta) -> timedelta:
    """A setting such as 7d, 36h, 90m or a number of seconds. Raises ImproperlyConfigured where it is too long."""
    try:
        return env.timedelta(name, default=default, validate=longer_than_nothing)
    except OverflowError:
        raise ImproperlyConfigured(f"{name} is too long: use 7d, 36h, or seconds.") from None


def longer_than_nothing(value: timedelta) -> None:
    """Accept a duration of a second or more."""
    if value < timedelta(seconds=1):
        raise ValidationError("Must be at least one second: 7d, 36h, 90m, or a number of seconds.")


def count_replay(text: str, interval_s: float) -> int:
    """How many snapshots STREAM_REPLAY means: a count, or a duration with its unit, at most 100,000 snapshots."""
    match = re.fullmatch(r"(\d{1,9})([smhd]?)", text.strip())
    if not match:
        raise ValidationError(f"{text!r} is neither a number of snapshots nor a duration such as 1h, 90m or 30s.")
    number, unit = int(match[1]), match[2]
    count = number if not unit else number * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit] / interval_s
    return min(max(math.ceil(count), 1), 100_000)


def currency_code(text: str) -> None:
    """Accept nothing, and what looks like an ISO 4217 code."""
    if text and not re.fullmatch("[A-Z]{3}", text):
        raise ValidationError(f"{text!r} is not a currency: use its three capital letters (ISO 4217), such as EUR.")


# --- What runs here ---------------------------------------------------------------------------------------------------

# Development mode: tracebacks in the browser and a built-in SECRET_KEY. Never in production.
DEBUG: bool = env.bool("DEBUG", default=False)
# Signs sessions. Required unless DEBUG, 32 random characters at least; `make serve` writes one into .env.
SECRET_KEY: str = env.str("SECRET_KEY", default="")
# The first staff user's. Unset: one is made, and written into a file for its owner.
FIRST_PASSWORD: str = env.str("DJANGO_SUPERUSER_PASSWORD", default="")
# Host names this site answers to. The default suits a server on this machine only.
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
# Who may look: `open` (whoever gets there) or `login` (people who log in, programs with a token). Unset: open while
# ALLOWED_HOSTS names this machine only, login as soon as it names another.
CHOSEN_ACCESS: str | None = env.str("ACCESS", default=None, validate=validate.OneOf(list(Mode)))
# How many connections to the stream one person or token may have open, to each process.
STREAM_CONNECTIONS_PER_VIEWER: int = env.int("STREAM_CONNECTIONS_PER_VIEWER", default=50, validate=validate.Range(1))
# A file to which each line of the record (who logged in, switched, exported) goes as JSON, too. Unset: none.
AUDIT_LOG: Path | None = env.path("AUDIT_LOG", default=None)
# How long the record is kept in the database: 365d, 36h, or seconds.
AUDIT_RETENTION: timedelta = read_duration("AUDIT_RETENTION", timedelta(days=365))
# How long somebody stays logged in without using it (an open stream uses it), and at all.
SESSION_IDLE: timedelta = read_duration("SESSION_IDLE", timedelta(hours=12))
SESSION_LIFETIME: timedelta = read_duration("SESSION_LIFETIME", timedelta(days=7))
# Who must have a second factor: none, staff or all.
REQUIRE_MFA: str = env.str("REQUIRE_MFA", default="none", validate=validate.OneOf(["none", "staff", "all"]))
# How many proxies of yours are in front (nginx: 1), so that limits count the clients' addresses, not theirs. Unset:
# none, except that where HTTPS is on one is taken to do it, whose X-Forwarded-Proto counts.
CHOSEN_PROXIES: int | None = env.int("TRUSTED_PROXIES", default=None, validate=validate.Range(0, 10))
# How many connections each process has open at most (0: as many as it may open files), and of one address (0: of any
# number; behind a proxy, which is one address, it is for the proxy to count).
CONNECTIONS: int = env.int("CONNECTIONS", default=0, validate=validate.Range(0, 1_000_000))
CONNECTIONS_PER_ADDRESS: int = env.int("CONNECTIONS_PER_ADDRESS", default=500, validate=validate.Range(0, 1_000_000))
# The mail server that sends links to reset passwords: submission://user:password@host:587 (encrypted by STARTTLS),
# smtp://user:password@host:465?ssl=true (from the start), smtp://localhost (not at all). Unset: they go to the log.
EMAIL: dict[str, Any] = env.dj_email_url("EMAIL_URL", default="console:")
# Who mails come from.
DEFAULT_FROM_EMAIL: str = env.str("EMAIL_FROM", default="dashboard@localhost")
# An OpenID Connect provider by which people log in, too: its address, what it knows this site as, its name on the page.
OIDC_SERVER_URL: str | None = env.str("OIDC_SERVER_URL", default=None, validate=address_of_server)
OIDC_CLIENT_ID: str = env.str("OIDC_CLIENT_ID", default="")
OIDC_CLIENT_SECRET: str = env.str("OIDC_CLIENT_SECRET", default="")
OIDC_NAME: str = env.str("OIDC_NAME", default="single sign-on")
# The group of whoever comes in by it for the first time; unset: none, and staff say who may look.
OIDC_GROUP: str = env.str("OIDC_GROUP", default="")
# Served over HTTPS (by nginx, say): secure cookies, HSTS, redirects from http.
HTTPS: bool = env.bool("HTTPS", default=False)
# Where browsers report what the pages' policy forbade them (Content-Security-Policy): an address that takes them.
CSP_REPORT_URL: str | None = env.str("CSP_REPORT_URL", default=None, validate=address_of_server)
# Where rows are kept: sqlite:///path or postgres://user:password@host:port/name. What waits for an SQLite file that
# somebody else has locked gives up after 5 seconds; sqlite:///path?timeout=60 after 60.
DATABASE: dict[str, Any] = env.dj_db_url("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}")
# The channel layer and the publishers' lease. Unset: in memory, one process.
REDIS_URL: str | None = env.str("REDIS_URL", default=None, validate=redis_url)
# Where the AI engine writes its keys; may be another Redis than REDIS_URL.
METRICS_REDIS_URL: str = env.str(
    "METRICS_REDIS_URL", default=REDIS_URL or "redis://127.0.0.1:6379/0", validate=redis_url
)
# Seconds between two snapshots.
STREAM_INTERVAL: float = env.float("STREAM_INTERVAL", default=3.0, validate=validate.Range(0.05, 3600))
# What amounts are in, as its ISO 4217 code (EUR, USD, JPY): the page shows its sign. Unset: plain numbers.
CURRENCY: str = env.str("CURRENCY", default="", validate=currency_code)
# Sites (besides this one) whose pages may open the stream and read history; * for all. Programs, which send no Origin,
# are always let in.
STREAM_ALLOWED_ORIGINS: list[str] = env.list("STREAM_ALLOWED_ORIGINS", default=[], validate=lambda v: [*map(origin, v)])
# Whether server processes publish too (where REDIS_URL is shared, one of all publishers holds the lease).
STREAM_PUBLISHER: bool = env.bool("STREAM_PUBLISHER", default=True)
# How long snapshots are kept in the database: 7d, 36h, or seconds.
HISTORY_RETENTION: timedelta = read_duration("HISTORY_RETENTION", timedelta(days=7))
# How many long answers from history a process sends at once; one more gets 503.
HISTORY_EXPORTS: int = env.int("HISTORY_EXPORTS", default=8, validate=validate.Range(1, 1000))
# The folder of the journal: what is published and not in the database yet, so that no kill loses it; of several
# processes each has a file of its own there. It belongs to one database, on a disk of this machine: what a process left
# there is written into the database of whoever starts there. Unset: beside the SQLite file, else beside the code.
CHOSEN_JOURNAL: Path | None = env.path("STREAM_JOURNAL", default=None)
# What clients can resume from: a number of snapshots (1200), or a duration (1h, 90m, 30s).
STREAM_REPLAY_TEXT: str = env.str("STREAM_REPLAY", default="1h", validate=lambda text: [count_replay(text, 3.0)])
# Seconds that one message may wait for a client that does not read, before it is closed (1013).
STREAM_SEND_TIMEOUT: float = env.float("STREAM_SEND_TIMEOUT", default=30.0, validate=validate.Range(0.1, 3600))
# Seconds within which all clients are told to come back (1012) when the server ends.
STREAM_DRAIN: float = env.float("STREAM_DRAIN", default=5.0, validate=validate.Range(0, 600))
# Makes the simulated values repeatable; unset, each start differs.
MOCK_SEED: int | None = env.int("MOCK_SEED", default=None)
# How much is logged: DEBUG, INFO, WARNING or ERROR.
LOG_LEVEL: str = env.str("LOG_LEVEL", default="INFO", validate=validate.OneOf(["DEBUG", "INFO", "WARNING", "ERROR"]))
# How log lines are written: for people, or as JSON for programs that collect them.
LOG_FORMAT: str = env.str("LOG_FORMAT", default="line", validate=validate.OneOf(["line", "json"]))

try:
    env.seal()
except EnvValidationError as error:
    reasons: Any = error.error_messages
    complaints = "; ".join(f"{name}: {' '.join(map(str, why))}" for name, why in reasons.items())
    raise ImproperlyConfigured(f"Wrong value in the environment or in .env: {complaints}") from None
except EnvError as error:
    raise ImproperlyConfigured(str(error)) from None

if DATABASE["ENGINE"] not in {"django.db.backends.sqlite3", "django.db.backends.postgresql"}:
    raise ImproperlyConfigured("DATABASE_URL must be sqlite:///path or postgres://user:password@host:port/name.")
SQLITE_TIMEOUT: Any = DATABASE.get("OPTIONS", {}).get("timeout", 5)
if DATABASE["ENGINE"] == "django.db.backends.sqlite3" and not isinstance(SQLITE_TIMEOUT, int):
    raise ImproperlyConfigured("DATABASE_URL: timeout must be a whole number of seconds.")
if DATABASE["ENGINE"] == "django.db.backends.sqlite3":
    DEFAULT_JOURNAL = Path(f"{DATABASE['NAME']}-unstored")
else:
    SERVER = f"{DATABASE.get('HOST') or 'local'}-{DATABASE.get('PORT') or 5432}"
    DEFAULT_JOURNAL = BASE_DIR / f"unstored-{SERVER}-{DATABASE['NAME']}"
STREAM_JOURNAL: Path = CHOSEN_JOURNAL or DEFAULT_JOURNAL
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured(
            "SECRET_KEY is not set. Put a long random string into the environment or into .env "
            "(`make setup` writes one), or set DEBUG=true on a development machine."
        )
    SECRET_KEY = "development-only-" + "0" * 40

elif not DEBUG and (weakness := explain_weak_key(SECRET_KEY)):
    raise ImproperlyConfigured(weakness)
if DEBUG and (exposure := explain_exposed_debug(ALLOWED_HOSTS)):
    raise ImproperlyConfigured(exposure)

if "EMAIL_BACKEND" not in EMAIL:  # taken for mail without encryption otherwise
    raise ImproperlyConfigured("EMAIL_URL: use submission://user:password@host:587, or smtp://host.")
if OIDC_SERVER_URL and not OIDC_CLIENT_ID:
    raise ImproperlyConfigured("OIDC_CLIENT_ID is not set: it is what the provider at OIDC_SERVER_URL knows us as.")
if SESSION_IDLE.total_seconds() < 120:
    raise ImproperlyConfigured("SESSION_IDLE must be two minutes or more: use is noted once a minute.")
TRUSTED_PROXIES = CHOSEN_PROXIES or 0
ACCESS, ACCESS_REASON = decide_mode(CHOSEN_ACCESS, ALLOWED_HOSTS)
STREAM_REPLAY = count_replay(STREAM_REPLAY_TEXT, STREAM_INTERVAL)

# --- Django -----------------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "streaming",  # before daphne: its runserver streams
    "daphne",
    "metrics",
    "access",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "channels",
    "csp",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "streaming.web.cross_origin.CrossOrigin",
    "streaming.web.health_first.HealthFirst",
    # Otherwise quantum_dashboard.static_first answers for files, before Django.
    *(["servestatic.middleware.ServeStaticMiddleware"] if DEBUG else []),
    # Pads each answer at random, and Django's CSRF tokens differ each time: compressing gives nothing away (BREACH).
    "quantum_dashboard.compression.CompressionMiddleware",
    "quantum_dashboard.security_headers.ContentPolicy",
    "access.people.activity.SessionActivity",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "access.people.second_factor.SecondFactorForStaff",
]
ROOT_URLCONF = "quantum_dashboard.urls"
ASGI_APPLICATION = "quantum_dashboard.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
DATABASES = {"default": DATABASE}
if DATABASE["ENGINE"] == "django.db.backends.sqlite3":
    DATABASE.setdefault("OPTIONS", {}).update(
        timeout=SQLITE_TIMEOUT,  # seconds a writer waits for another
        transaction_mode="IMMEDIATE",
        init_command="PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    )
elif DATABASE["ENGINE"] == "django.db.backends.postgresql":
    # Nothing waits for ever: not for a host that is gone (keepalives, and what was sent and not received: 10 s each),
    # not for a lock, not for a transaction that somebody left open. A statement may take as long as a migration of a
    # large history does. What DATABASE_URL says (?lock_timeout is not one, ?options=-c%20lock_timeout=1000 is) holds.
    DATABASE["OPTIONS"] = {
        "connect_timeout": 5,  # seconds
        "keepalives": 1,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,  # ms, as all below
        "options": "-c lock_timeout=5000 -c statement_timeout=600000 -c idle_in_transaction_session_timeout=60000",
        **DATABASE.get("OPTIONS", {}),
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "streaming.publishing.layer.FencedChannelLayer",
        "CONFIG": {
            "hosts": [
                {
                    "address": REDIS_URL,
                    "health_check_interval": 5,
                    **({} if REDIS_URL.startswith("unix:") else {"socket_keepalive": True}),
                    "socket_timeout": 2,  # redis-py's own 5 s would be 5 s more of silence after a hang
                    "socket_connect_timeout": 2,
                }
            ]
        },
    }
    if REDIS_URL
    else {"BACKEND": "streaming.publishing.local_layer.LocalChannelLayer"}
}
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
CACHES: dict[str, dict[str, Any]] = {  # counts of logins and of what else is limited
    "default": {
        "BACKEND": "access.people.counts.SharedCounts",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "dashboard",
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
    }
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 50_000}}
}

# --- People, and django-allauth ---------------------------------------------------------------------------------------

LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "/"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]  # Django's, and one hash for unknowns
PASSWORD_HASHERS = ["access.people.hashing.PooledPBKDF2"]
SESSION_ENGINE = "access.people.sessions"
SESSION_COOKIE_AGE = int(SESSION_LIFETIME.total_seconds())
if HTTPS:  # browsers take a cookie of such a name from this host only, over HTTPS only
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
EMAIL_BACKEND, EMAIL_FILE_PATH = EMAIL["EMAIL_BACKEND"], EMAIL["EMAIL_FILE_PATH"]
EMAIL_HOST, EMAIL_PORT = EMAIL["EMAIL_HOST"], EMAIL["EMAIL_PORT"]
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = EMAIL["EMAIL_HOST_USER"], EMAIL["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS, EMAIL_USE_SSL, EMAIL_TIMEOUT = EMAIL["EMAIL_USE_TLS"], EMAIL["EMAIL_USE_SSL"], 10  # seconds
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXIES
ACCOUNT_ADAPTER = "access.people.adapter.AccountAdapter"
ACCOUNT_FORMS = {"reset_password": "access.people.password_reset.PasswordResetForm"}
ACCOUNT_EMAIL_VERIFICATION = "none"  # staff write users' addresses
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "10/m/ip,5/5m/key", "reset_password": "5/m/ip,3/h/key"}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_TOTP_ISSUER = "Quantum Trader Dashboard"
MFA_TOTP_TOLERANCE = 1  # codes before and after: 30 s of a clock that is off
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not HTTPS  # http://localhost; browsers allow no other
USERSESSIONS_TRACK_ACTIVITY = True  # shown; `SessionActivity` and the gate write it
SOCIALACCOUNT_ADAPTER = "access.people.single_sign_on.SingleSignOnAdapter"
SOCIALACCOUNT_PROVIDERS: dict[str, Any] = {"openid_connect": {"OAUTH_PKCE_ENABLED": True}}
if OIDC_SERVER_URL:
    SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"] = [
        {
            "provider_id": "sso",
            "name": OIDC_NAME,
            "client_id": OIDC_CLIENT_ID,
            "secret": OIDC_CLIENT_SECRET,
            "settings": {"server_url": OIDC_SERVER_URL, "oauth_pkce_enabled": True},
        }
    ]
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "quantum_dashboard.storage.HashedStaticFilesStorage"
    },
}

# What is sent is without comments and spaces; the files themselves stay readable.
SERVESTATIC_MINIFY = True

# Bytes of the largest message that a client may send; nothing it sends means anything. The servers close it (1009);
# runserver reads the other two.
STREAM_LARGEST_MESSAGE = DAPHNE_WEBSOCKET_MAX_MESSAGE_SIZE = DAPHNE_WEBSOCKET_MAX_FRAME_SIZE = 4096

SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^stream/health"]  # monitors ask the process itself, past the proxy
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
# Whether all subdomains are HTTPS only, for ever, is for their owner to say, not for one application on them.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS and CHOSEN_PROXIES != 0 else None
SECURE_REFERRER_POLICY = SECURITY_HEADERS["Referrer-Policy"]
SECURE_CROSS_ORIGIN_OPENER_POLICY = SECURITY_HEADERS["Cross-Origin-Opener-Policy"]
DEFAULT_EXCEPTION_REPORTER = "quantum_dashboard.error_report.DiscreetReporter"
X_FRAME_OPTIONS = SECURITY_HEADERS["X-Frame-Options"]
CONTENT_SECURITY_POLICY = make_policy(OIDC_SERVER_URL, CSP_REPORT_URL)

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "streaming.log_filters.DiscreetFormatter",
            "format": "%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        },
        "json": {
            "()": "streaming.log_filters.JsonFormatter",
            "fmt": ["levelname", "name", "message", "process"],
            "timestamp": True,
            "rename_fields": {"levelname": "level", "name": "logger"},
        },
    },
    "filters": {
        "no_503": {"()": "streaming.log_filters.SaidElsewhere"},
    },
    "handlers": {"stderr": {"class": "streaming.log_noise.NoiseHandler", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "django": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        "django.request": {"filters": ["no_503"]},
        "django.channels.server": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        "access": {"level": LOG_LEVEL},
        "metrics": {"level": LOG_LEVEL},
        "streaming": {"level": LOG_LEVEL},
    },
}
if AUDIT_LOG:
    LOGGING["formatters"]["as_it_is"] = {"format": "%(message)s"}
    LOGGING["handlers"]["audit"] = {
        "class": "streaming.log_filters.PrivateFileHandler",
        "filename": AUDIT_LOG,
        "formatter": "as_it_is",
        "delay": True,
    }
    LOGGING["loggers"]["access.record.lines"] = {"handlers": ["audit"], "level": "INFO", "propagate": False}
else:
    LOGGING["loggers"]["access.record.lines"] = {"level": "CRITICAL"}

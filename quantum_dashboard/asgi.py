"""The ASGI application: HTTP to Django, WebSockets to the stream, the server's life to the runtime."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quantum_dashboard.settings")
http = get_asgi_application()  # sets Django up: what follows needs it

from quantum_dashboard.own_machine import OwnMachineOnly  # noqa: E402
from quantum_dashboard.security_headers import SecurityHeaders  # noqa: E402
from quantum_dashboard.static_first import StaticFirst  # noqa: E402
from streaming.delivery.origin import OriginMiddleware  # noqa: E402
from streaming.delivery.routing import make_websocket_urlpatterns  # noqa: E402
from streaming.lifespan import Lifespan, start_with_reactor  # noqa: E402
from streaming.limits.bodies import BodyLimit  # noqa: E402
from streaming.limits.counter import Counter  # noqa: E402
from streaming.limits.reserve import Reserve  # noqa: E402
from streaming.runtime import Runtime  # noqa: E402
from streaming.web.provide import ProvideRuntime  # noqa: E402
from streaming.web.slow_readers import SlowReaders  # noqa: E402

runtime = Runtime()
site = OwnMachineOnly(http) if settings.DEBUG else StaticFirst(http)
application = ProtocolTypeRouter(
    {
        "http": SlowReaders(
            SecurityHeaders(Reserve(BodyLimit(Counter(ProvideRuntime(site, runtime))), runtime.visits.reserved))
        ),
        "websocket": OriginMiddleware(
            Reserve(
                URLRouter(make_websocket_urlpatterns(runtime.hub, runtime.start, runtime.gate, runtime.link_gate)),
                runtime.visits.reserved,
            ),
            settings.STREAM_ALLOWED_ORIGINS,
        ),
        "lifespan": Lifespan(runtime),
    }
)
application.runtime = runtime  # where `manage.py serve` finds it
start_with_reactor(runtime)

"""The ASGI application: HTTP to Django, WebSockets to the stream, lifespan to the runtime."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quantum_dashboard.settings")
http = get_asgi_application()  # sets Django up: what follows needs it

from streaming.delivery.routing import websockets  # noqa: E402
from streaming.lifespan import lifespan, start_with_reactor  # noqa: E402
from streaming.web.slow_readers import SlowReaders  # noqa: E402

application = ProtocolTypeRouter({"http": SlowReaders(http), "websocket": websockets, "lifespan": lifespan})
start_with_reactor()

"""Django's settings of the textbook peer."""

import os

SECRET_KEY = "x" * 50
INSTALLED_APPS = ["daphne", "channels"]
ALLOWED_HOSTS = ["*"]
ASGI_APPLICATION = "benchmarks.peers.textbook_app.application"
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [os.environ["BENCH_REDIS"]]},
    }
    if os.environ.get("BENCH_REDIS")
    else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
}

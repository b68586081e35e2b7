"""How snapshots travel: publisher, channel layer, hub, connections, and what health says of them."""

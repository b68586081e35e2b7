"""What a stranger may take of a server: connections, time to say what they want, bytes that they send.

Each limit is a page of its own. The servers' own protocols ask them (streaming.servers); nothing here knows a server.
"""

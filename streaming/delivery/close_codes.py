"""The codes that connections are closed with: the IANA registry of WebSocket close codes (RFC 6455, section 7.4).

The servers close with 1009 themselves, where a client sends more than settings.STREAM_LARGEST_MESSAGE.
"""

#: The server ends: come back with `since`.
COME_BACK = 1012
#: The client did not read for too long: come back with `since`.
TRY_AGAIN_LATER = 1013
#: Our own, after HTTP's 400: the address cannot be understood.
BAD_REQUEST = 4400
#: Our own, after HTTP's 401: the session or token is not, or no more, good: sign in again.
SIGN_IN = 4401
#: Our own, after HTTP's 403: whoever this is may not read the stream.
MAY_NOT_READ = 4403

#: Our own, after HTTP's 429: whoever this is has too many connections open.
TOO_MANY = 4429

#: What a refusal (access.viewer.RefusedError), by its status, is closed with.
REFUSALS = {
    400: BAD_REQUEST,
    401: SIGN_IN,
    403: MAY_NOT_READ,
    404: MAY_NOT_READ,
    429: TOO_MANY,
    503: TRY_AGAIN_LATER,
}

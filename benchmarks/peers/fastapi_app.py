"""The FastAPI peer's application."""

import asyncio
import os

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from benchmarks.peers.payload import make_payload

INTERVAL_S = float(os.environ["BENCH_INTERVAL"])

app = FastAPI()


@app.websocket("/live")
async def live(websocket: WebSocket) -> None:
    """Send this connection a payload at every tick of its own."""
    await websocket.accept()
    previous = None
    try:
        while True:
            payload = make_payload(previous, INTERVAL_S)
            await websocket.send_json(payload)
            previous = payload["id"]
            await asyncio.sleep(INTERVAL_S)
    except WebSocketDisconnect:
        pass

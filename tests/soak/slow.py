"""Clients that keep connections and give nothing: idle ones, slow headers, slow bodies; and one that asks honestly."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

_HEAD = b"POST /appPush HTTP/1.1\r\nHost: shop\r\nContent-Type: application/x-www-form-urlencoded\r\n"
_PROBE = b"GET /healthz HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"
_PROBE_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Report:
    probes: int
    answered: int
    slowest_ms: int
    held: int  # slow clients that were connected when the last probe was sent

    @property
    def share(self) -> float:
        return self.answered / self.probes


def run(port: int, *, each: int, seconds: float, patience_s: float = 5) -> Report:
    """`each` clients of every kind for so long; each of them comes back as soon as it is turned away. A probe is
    answered that gets its answer within `patience_s`.

    On a thread of its own: where browser tests ran before, this one already has an event loop.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(_run(port, each, seconds, patience_s))).result()


async def _run(port: int, each: int, seconds: float, patience_s: float) -> Report:
    held: Counter[str] = Counter()
    crowd = [
        asyncio.create_task(_stay(port, kind, f"127.{house}.0.{1 + number % 250}", held))
        for house, kind in enumerate(("idle", "head", "body"), start=1)
        for number in range(each)
    ]
    await asyncio.sleep(min(1, seconds / 4))
    probes = [
        asyncio.create_task(_probe(port, number * _PROBE_EVERY_S, patience_s))
        for number in range(int(seconds / _PROBE_EVERY_S))
    ]
    took = await asyncio.gather(*probes)
    connected = held.total()
    for one in crowd:
        one.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)
    answered = [one for one in took if one is not None]
    return Report(len(took), len(answered), int(max(answered, default=0) * 1000), connected)


async def _stay(port: int, kind: str, source: str, held: Counter[str]) -> None:
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
            held[kind] += 1
            try:
                await _drip(reader, writer, kind)
            finally:
                held[kind] -= 1
                writer.close()
        await asyncio.sleep(0.2)


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kind: str) -> None:
    """A byte a second, or none at all, until the server hangs up."""
    if kind == "idle":
        await reader.read()
        return
    writer.write(_HEAD if kind == "head" else _HEAD + b"Content-Length: 60000\r\n\r\n")
    while not reader.at_eof():
        writer.write(b"X: y\r\n" if kind == "head" else b"t")
        await writer.drain()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader.read(1000), 1)


async def _probe(port: int, after: float, patience_s: float) -> float | None:
    """Seconds until the answer; None: there was none in time."""
    await asyncio.sleep(after)
    began = time.monotonic()
    try:
        async with asyncio.timeout(patience_s):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(_PROBE)
            answer = await reader.read()
            writer.close()
    except (OSError, TimeoutError):
        return None
    return time.monotonic() - began if answer.startswith(b"HTTP/1.1 200") else None

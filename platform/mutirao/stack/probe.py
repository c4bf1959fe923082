"""Small questions to servers on loopback, without loading a client library."""

import asyncio
import http.client
import json
from typing import Any
from urllib.parse import urlsplit

ANSWER_SECONDS = 1.5


def get(url: str, timeout: float = ANSWER_SECONDS) -> tuple[int, bytes]:
    """GET a URL; status and body.

    Raises:
        OSError: nobody answers, or what answers is not HTTP.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout)
    try:
        connection.request("GET", parts.path or "/")
        response = connection.getresponse()
        return response.status, response.read()
    except http.client.HTTPException as error:
        raise OSError(f"{type(error).__name__}: {error}") from None
    finally:
        connection.close()


async def answers(url: str) -> bool:
    """Whether a GET of this URL gives 200 now."""
    try:
        status, _ = await asyncio.to_thread(get, url)
    except OSError:
        return False
    return status == http.client.OK


async def get_json(url: str, timeout: float = ANSWER_SECONDS) -> dict[str, Any]:  # noqa: ASYNC109 - of the thread
    """The JSON object a URL answers with, whatever the status; empty when there is none."""
    try:
        _, body = await asyncio.to_thread(get, url, timeout)
        found = json.loads(body)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


async def converse(host: str, port: int, lines: list[str], answer_lines: int) -> list[str]:
    """Send lines over TCP and read as many back; fewer when the server closes.

    Raises:
        OSError: nobody listens, or no answer in time.
    """
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write("".join(f"{line}\r\n" for line in lines).encode())
                await writer.drain()
                return [(await reader.readline()).decode(errors="replace").strip() for _ in range(answer_lines)]
            finally:
                writer.close()
    except TimeoutError:
        raise OSError(f"no answer from {host}:{port} within {ANSWER_SECONDS} s") from None

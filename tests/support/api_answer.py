"""What a Kubernetes API server says in HTTP/1.1, and the file that leads a client to it."""

import asyncio
import json
from http import HTTPStatus
from pathlib import Path

from support.api_request import Object


async def respond(writer: asyncio.StreamWriter, code: int, body: Object | str) -> None:
    """Answer with text, or an object as JSON."""
    content, kind = (body, "text/plain") if isinstance(body, str) else (json.dumps(body), "application/json")
    head = f"HTTP/1.1 {code} {HTTPStatus(code).phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(content.encode())}\r\n\r\n"
    writer.write(head.encode() + content.encode())
    await writer.drain()


async def begin(writer: asyncio.StreamWriter) -> None:
    """Begin an answer of chunks."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    await writer.drain()


async def chunk(writer: asyncio.StreamWriter, content: bytes) -> None:
    """Send a chunk; an empty one is the last."""
    writer.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")
    await writer.drain()


def kubeconfig(path: Path, url: str, token: str) -> Path:
    """Write the file: a user without a token has no credentials."""
    names = {"cluster": "test", "user": "test"}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": url}}],
        "users": [{"name": "test", "user": {"token": token} if token else {}}],
        "contexts": [{"name": "test", "context": names}],
        "current-context": "test",
    }
    path.write_text(json.dumps(content))
    return path

"""What redis-py's asyncio classes leave undone, without a Redis."""

import pytest
from redis.asyncio import Connection
from redis.exceptions import DataError

from wakequeue.asyncio_redis import Plain, Sentinel, SentinelTls, Socket, Tls


def test_commands_are_written_as_redis_py_writes_them() -> None:
    """Text, bytes and numbers, of whatever size; and a command of two words."""
    connection, plain = Connection(), Plain()
    for command in (
        ("EVALSHA", "0" * 40, 0, "shop/hello", -1, 1.5, b"\xff\0", "", "ä" * 10_000),
        ("CLIENT SETINFO", "LIB-NAME", "x"),
    ):
        assert b"".join(plain.pack_command(*command)) == b"".join(connection.pack_command(*command))


def test_what_is_no_argument_is_refused() -> None:
    """As redis-py refuses it."""
    with pytest.raises(DataError):
        Plain().pack_command("SET", "a", None)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [Socket, Tls, Sentinel, SentinelTls])
def test_every_kind_of_connection_writes_them_so(kind: type[Plain]) -> None:
    """Whatever a Redis is reached by."""
    assert kind.pack_command is Plain.pack_command

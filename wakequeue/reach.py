"""How Redis is reached: the one place that makes clients of it, for asyncio, for threads, and for Celery.

No client is given a password: each asks `Credentials` whenever it opens a connection. So a password file that was changed counts
for the next connection, and no URL, configuration or `repr` that a library keeps, logs or sends to Flower has a secret in it.
"""

from typing import Any, Final
from urllib.parse import quote

from redis import ConnectionPool, Redis, SSLConnection, UnixDomainSocketConnection
from redis import asyncio as aio
from redis.asyncio import sentinel as aio_sentinel
from redis.asyncio.retry import Retry as AioRetry
from redis.backoff import NoBackoff
from redis.connection import Connection
from redis.credentials import CredentialProvider
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool, SentinelManagedConnection, SentinelManagedSSLConnection

from wakequeue import asyncio_redis
from wakequeue.embedded import socket_path
from wakequeue.redis_url import RedisUrl
from wakequeue.setting_files import read_secret
from wakequeue.settings import Settings

#: How long one Sentinel may take to say where the primary is, before the next is asked.
SENTINEL_SECONDS: Final = 1.0

#: How often an idle connection is looked at before it is used.
HEALTH_SECONDS: Final = 5


class Credentials(CredentialProvider):
    """The user and the password for a connection; the password is read now, if it is in a file."""

    def __init__(self, username: str, password: str, file: str) -> None:
        self._username, self._password, self._file = username, password, file

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """What AUTH takes. Raises redis' ConnectionError where the file can't be read, so that another attempt is made."""
        password = self._password
        if self._file:
            try:
                password = read_secret(self._file)
            except (OSError, ValueError) as error:
                msg = f"the password can't be read: {error}"
                raise RedisConnectionError(msg) from error
        return (self._username, password) if self._username else (password,)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        """The same."""
        return self.get_credentials()


class Reach:
    """How one Redis is reached."""

    def __init__(self, settings: Settings) -> None:
        url = settings.redis_url or RedisUrl(f"unix://{quote(str(socket_path(settings.data_dir)))}")
        self._place = url.place
        self.credentials = _credentials(self._place.username, self._place.password, settings.redis_password_file)
        self._sentinel_credentials = _credentials("", "", settings.redis_sentinel_password_file)
        #: What redis-py and kombu call ssl options; empty without TLS.
        self.tls: dict[str, Any] = {}
        if self._place.tls:
            files = {
                "ssl_ca_certs": settings.redis_ca_file,
                "ssl_certfile": settings.redis_certificate_file,
                "ssl_keyfile": settings.redis_key_file,
            }
            self.tls = {name: str(file) for name, file in files.items() if file}
            self.tls |= {"ssl_cert_reqs": self._place.certificate, "ssl_check_hostname": self._place.check_hostname}

    def client(self, timeout: float, *, retries: int) -> Redis:
        """A client for threads, that gives up on an unanswered command after `timeout` seconds."""
        place, options = self._place, self._options(timeout) | {"retry": Retry(NoBackoff(), retries)}
        if place.path:
            return Redis.from_pool(ConnectionPool(connection_class=UnixDomainSocketConnection, path=place.path, **options))
        if not place.primary:
            return self._client(place.nodes[0], options)
        sentinel = Sentinel([])  # type: ignore[no-untyped-call]
        sentinel.sentinels = [self._client(node, self._sentinel_options(Retry)) for node in place.nodes]
        kind = SentinelManagedSSLConnection if self.tls else SentinelManagedConnection
        return Redis.from_pool(SentinelConnectionPool(place.primary, sentinel, connection_class=kind, **options))  # type: ignore[no-untyped-call]

    def asyncio_client(self, timeout: float, *, retries: int) -> aio.Redis:
        """The same for asyncio."""
        place, options = self._place, self._options(timeout) | {"retry": AioRetry(NoBackoff(), retries)}
        if place.path:
            return aio.Redis.from_pool(aio.ConnectionPool(connection_class=asyncio_redis.Socket, path=place.path, **options))
        if not place.primary:
            return self._asyncio_client(place.nodes[0], options)
        sentinel = aio_sentinel.Sentinel([])  # type: ignore[no-untyped-call]
        sentinel.sentinels = [self._asyncio_client(node, self._sentinel_options(AioRetry)) for node in place.nodes]
        kind = asyncio_redis.SentinelTls if self.tls else asyncio_redis.Sentinel
        return aio.Redis.from_pool(asyncio_redis.SentinelPool(place.primary, sentinel, connection_class=kind, **options))  # type: ignore[no-untyped-call]

    @property
    def broker_url(self) -> str:
        """The same Redis as kombu spells it. TLS and credentials are no part of it: see `tls` and `credentials`."""
        place = self._place
        if place.path:
            return f"redis+socket://{quote(place.path)}?virtual_host={place.db}"
        scheme = "sentinel" if place.primary else "redis"
        hosts = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in place.nodes)
        return ";".join(f"{scheme}://{host}/{place.db}" for host in hosts)

    @property
    def transport_options(self) -> dict[str, Any]:
        """What kombu's transport must know besides."""
        if not self._place.primary:
            return {}
        options = self._sentinel_options(Retry) | {"ssl": bool(self.tls)}
        return {"master_name": self._place.primary, "sentinel_kwargs": options}

    def _client(self, node: tuple[str, int], options: dict[str, Any]) -> Redis:
        kind = SSLConnection if self.tls else Connection
        return Redis.from_pool(ConnectionPool(connection_class=kind, host=node[0], port=node[1], **options))

    def _asyncio_client(self, node: tuple[str, int], options: dict[str, Any]) -> aio.Redis:
        kind = asyncio_redis.Tls if self.tls else asyncio_redis.Plain
        return aio.Redis.from_pool(aio.ConnectionPool(connection_class=kind, host=node[0], port=node[1], **options))

    def _options(self, timeout: float) -> dict[str, Any]:
        return {
            "db": self._place.db,
            "credential_provider": self.credentials,
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            "health_check_interval": HEALTH_SECONDS,
            **self.tls,
        }

    def _sentinel_options(self, retry: type[Retry | AioRetry]) -> dict[str, Any]:
        return {
            "credential_provider": self._sentinel_credentials,
            "socket_timeout": SENTINEL_SECONDS,
            "socket_connect_timeout": SENTINEL_SECONDS,
            "retry": retry(NoBackoff(), 0),
            **self.tls,
        }


def _credentials(username: str, password: str, file: str) -> Credentials | None:
    return Credentials(username, password, file) if username or password or file else None

"""What the doctor reads of a cluster: each thing as front and worker would, so that what holds for it holds for them.

A collection's first object is listed, and the collection watched from there until the API says that it may be. Which versions are
offered and which release it is, every account may ask (the ClusterRoles system:discovery and system:public-info-viewer).
"""

from collections.abc import Awaitable
from contextlib import aclosing
from typing import Final, TypeVar

import msgspec
from msgspec import Struct, field

from wakequeue.cluster.api import Api, ApiAway
from wakequeue.cluster.mirrored import Collection
from wakequeue.cluster.objects import FRONT, WORKER
from wakequeue.doctor.seen import ConfigMap, Denied, Refusal, ScaledRevision, Scaling, Seen

GROUP: Final = "/apis/serving.knative.dev"
CONFIG: Final = "/api/v1/namespaces/knative-serving/configmaps/config-autoscaler"

#: An API that refuses these refuses them alone; with any other cause there is nothing more to ask.
ANSWERS: Final = {"forbidden", "not_found"}

T = TypeVar("T")


class _Release(Struct, rename="camel"):
    git_version: str


class _Version(Struct):
    version: str


class _Group(Struct):
    versions: list[_Version] = field(default_factory=list)


async def read(api: Api) -> Seen | Refusal:
    """What there is to see; a Refusal where the API itself can't be asked."""
    release = await _try(_get(api, "/version", _Release))
    if isinstance(release, Refusal) and release.cause not in ANSWERS:
        return release
    group = await _try(_get(api, GROUP, _Group))
    return Seen(
        kubernetes=release if isinstance(release, Refusal) else release.git_version,
        serving=group if isinstance(group, Refusal) else tuple(one.version for one in group.versions),
        access={one: await _denied(api, one) for one in dict.fromkeys(FRONT + WORKER)},
        autoscaler=await _try(_get(api, CONFIG, ConfigMap)),
        revisions=await _try(_revisions(api)),
    )


async def _denied(api: Api, collection: Collection) -> Denied | None:
    version = await _try(_version(api, collection))
    if isinstance(version, Refusal):
        return Denied("list", version)
    watched = await _try(_watch(api, collection, version))
    return Denied("watch", watched) if watched else None


async def _watch(api: Api, collection: Collection, version: str) -> None:
    async with aclosing(api.watch(collection, version)) as changes:
        await anext(changes)


async def _version(api: Api, collection: Collection) -> str:
    """By its first page."""
    async with aclosing(api.list(collection)) as pages:
        version, _ = await anext(pages)
    return version


async def _revisions(api: Api) -> dict[str, Scaling]:
    return {key: kept async for _, page in api.list(ScaledRevision) for key, kept in page.items()}


async def _get(api: Api, path: str, kind: type[T]) -> T:
    try:
        return msgspec.convert(await api.get(path), kind)
    except msgspec.ValidationError as error:
        raise ApiAway("malformed", f"{path}: {error}") from error


async def _try(asking: Awaitable[T]) -> T | Refusal:
    try:
        return await asking
    except ApiAway as error:
        return Refusal(error.cause, str(error))

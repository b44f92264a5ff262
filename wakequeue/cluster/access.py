"""How the cluster is reached: by a pod's service account, else by a kubeconfig."""

import os
import socket
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wakequeue.errors import CannotStart
from wakequeue.settings import Settings

if TYPE_CHECKING:
    from wakequeue.cluster.api import Api
    from wakequeue.cluster.mirror import Mirror
    from wakequeue.cluster.mirrored import Collection

#: Where Kubernetes puts a pod's service account.
SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")

#: A connection on which nothing comes is probed, so that one that the network has lost is noticed within 5 s.
KEEP_ALIVE: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", 0)), 2),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)


def wanted(settings: Settings) -> bool:
    """Whether the settings want a cluster, and `auto` finds one. Raises CannotStart where they insist without the extra."""
    installed = find_spec("lightkube") is not None
    match settings.kubernetes:
        case "off":
            return False
        case "auto":
            return installed and (SERVICE_ACCOUNT / "token").exists() and "KUBERNETES_SERVICE_HOST" in os.environ
    if not installed:
        msg = "kubernetes = on needs the extra: pip install 'wakequeue[kubernetes]'"
        raise CannotStart(msg)
    return True


def mirror(settings: Settings, collections: Iterable["Collection"]) -> "Mirror | None":
    """A mirror of these collections, not yet open; None where the settings want none, or `auto` finds no cluster.

    Raises CannotStart where the settings insist, and the extra isn't installed, or no way to the API is configured.
    """
    if not wanted(settings):
        return None
    from wakequeue.cluster.mirror import Mirror  # noqa: PLC0415  see `api`

    return Mirror(api(), collections)


def api(service_account: Path = SERVICE_ACCOUNT) -> "Api":
    """The API, by a pod's service account, else by a kubeconfig. Raises CannotStart where neither can be used."""
    # What is imported here takes 70 ms and 10 MB.
    import httpx2  # noqa: PLC0415
    from lightkube.config.client_adapter import user_auth, verify_cluster  # noqa: PLC0415
    from lightkube.config.kubeconfig import KubeConfig  # noqa: PLC0415

    from wakequeue.cluster.api import Api  # noqa: PLC0415

    try:
        config = KubeConfig.from_env(service_account=service_account).get()
        assert config is not None
        assert config.user is not None, "a user is missing"
        verify = verify_cluster(config.cluster, config.user, config.abs_file, trust_env=False)
        auth = user_auth(config.user)
    except Exception as error:  # a kubeconfig can be wrong in any way
        msg = f"neither a service account nor a kubeconfig can be used to reach Kubernetes: {error!r}"
        raise CannotStart(msg) from error
    client = httpx2.AsyncClient(
        base_url=config.cluster.server,
        auth=auth,
        transport=httpx2.AsyncHTTPTransport(verify=verify, socket_options=KEEP_ALIVE),
        headers={"user-agent": "wakequeue"},
        trust_env=False,
    )
    return Api(client)

"""The examination of the cluster: what front and worker may read of it, what it offers, and how its Autoscaler is configured."""

from typing import Final

from wakequeue.cluster import access
from wakequeue.doctor import offers, scaling
from wakequeue.doctor.finding import Finding
from wakequeue.doctor.seen import Refusal, Seen
from wakequeue.errors import CannotStart
from wakequeue.settings import Settings

CHECKS: Final = (offers.kubernetes, offers.serving, offers.access, scaling.release, scaling.autoscaler, scaling.revisions)


async def examine(settings: Settings) -> list[Finding]:
    """What is found of the cluster, as far as the settings want one."""
    try:
        if not access.wanted(settings):
            return [_not_wanted(settings)]
        seen = await _read()
    except CannotStart as error:
        return [Finding.error("cluster", str(error), "Or set kubernetes = off")]
    except Exception as error:  # noqa: BLE001  a kubeconfig can have programs run for credentials
        seen = Refusal("defect", repr(error))
    return findings(seen, settings)


def findings(seen: Seen | Refusal, settings: Settings) -> list[Finding]:
    """What each check finds."""
    if isinstance(seen, Refusal):
        words = f"Kubernetes can't be asked: {seen.cause}: {seen.detail}"
        return [Finding.error("cluster", words, "See to the service account or the kubeconfig, and to the network between")]
    return [one for check in CHECKS for one in check(seen, settings)]


async def _read() -> Seen | Refusal:
    api = access.api()
    # It needs the extra.
    from wakequeue.doctor.reading import read  # noqa: PLC0415

    try:
        return await read(api)
    finally:
        await api.close()


def _not_wanted(settings: Settings) -> Finding:
    because = "" if settings.kubernetes == "off" else ", and here is no pod with a service account, or not the extra `kubernetes`"
    return Finding.ok("cluster", f"not looked at: kubernetes = {settings.kubernetes}{because}")

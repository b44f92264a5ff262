"""The rules: which calls wake, whatever protocol they come by. Pure.

A rule looks at what a call says: one that says nothing of its method, path, host or user agent is not held back for it. Probes
never wake: they ask, and don't use.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from gateway_hook.call import Call
from gateway_hook.knative import PROBE_AGENTS, PROBE_HEADERS
from wakequeue.allowed import matches, may_wake, passes
from wakequeue.revision import Revision
from wakequeue.settings import Settings

#: What of a user agent is looked at: a client may send any length.
LONGEST_USER_AGENT: Final = 1_024


class Ignored(StrEnum):
    """Why a call wakes nothing; the label `reason` of `wakequeue_ignored`."""

    #: It is a probe.
    PROBE = "probe"
    #: `methods` don't have its method.
    METHOD = "method"
    #: `denied_user_agents` have its user agent.
    USER_AGENT = "user_agent"
    #: `paths` don't have its path, or `denied_paths` do.
    PATH = "path"
    #: `hosts` don't have its host, or `denied_hosts` do.
    HOST = "host"
    #: `namespaces` don't have its Revision's namespace, or `denied_namespaces` do.
    NAMESPACE = "namespace"


class Rules:
    """The rules of these settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._methods = frozenset(settings.methods)
        # What every call passes isn't asked of it.
        self._any_path = settings.paths == ("*",) and not settings.denied_paths
        self._any_host = settings.hosts == ("*",) and not settings.denied_hosts
        self._any_namespace = settings.namespaces == ("*",) and not settings.denied_namespaces

    def ignores(self, call: Call) -> Ignored | None:
        """Why a call wakes nothing, whichever Revision it means."""
        settings, agent = self._settings, call.user_agent[:LONGEST_USER_AGENT].lower()
        if call.probe or is_probes_agent(agent):
            return Ignored.PROBE
        if self._methods and call.method and call.method.upper() not in self._methods:
            return Ignored.METHOD
        if agent and matches(agent, settings.denied_user_agents):
            return Ignored.USER_AGENT
        if not self._any_path and call.path and not passes(_path(call.path), settings.paths, settings.denied_paths):
            return Ignored.PATH
        if not self._any_host and call.host and not passes(host_of(call.host), settings.hosts, settings.denied_hosts):
            return Ignored.HOST
        return None

    def allowed(self, revisions: Sequence[Revision]) -> Sequence[Revision]:
        """Those of these Revisions that calls may wake; what is left out is ignored for its namespace."""
        return revisions if self._any_namespace else [one for one in revisions if may_wake(one.namespace, self._settings)]


def is_probe(headers: Mapping[str, str]) -> bool:
    """Whether these request headers (names in lower case) have one that only probes carry."""
    return any(map(headers.get, PROBE_HEADERS))


def is_probes_agent(user_agent: str) -> bool:
    """Whether this user agent is a probe's."""
    return user_agent.lower().startswith(PROBE_AGENTS)


def host_of(authority: str) -> str:
    """The host of a Host header, in lower case, without its port."""
    host, colon, port = authority.lower().rpartition(":")
    return (host if colon and port.isdigit() else authority.lower()).rstrip(".")


def _path(target: str) -> str:
    return target.partition("?")[0]

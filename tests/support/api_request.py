"""What is asked of a Kubernetes API server, and how kube-apiserver words a refusal of it."""

import re
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

Object = dict[str, Any]

_KNOWN = {"watch", "resourceVersion", "labelSelector", "limit", "continue", "timeoutSeconds", "allowWatchBookmarks"}

_PATH = re.compile(r"(/api/v1|/apis/[^/]+/[^/]+)(?:/namespaces/([^/]+))?/([^/]+)(?:/([^/]+))?")
_REASONS = {429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout"}
_KINDS = {kind.lower() + "s": kind for kind in ("PodAutoscaler", "EndpointSlice", "DomainMapping", "ConfigMap")}


class RefusedError(Exception):
    """A request that is answered by a Status object."""

    def __init__(self, code: int, reason: str = "", message: str = "told to fail", **details: str) -> None:
        super().__init__(message)
        self.code = code
        self.status: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason or _REASONS.get(code, ""),
            "code": code,
        }
        if details:
            self.status["details"] = {name: value for name, value in details.items() if value}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    authorization: str
    length: int

    @classmethod
    def read(cls, head: bytes) -> Self:
        """It, as its head has it."""
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        url = urlsplit(target)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return cls(
            method,
            unquote(url.path),
            dict(parse_qsl(url.query)),
            headers.get("authorization", ""),
            int(headers.get("content-length", 0)),
        )

    def check(self) -> None:
        """Refuse what this server can't answer as kube-apiserver would."""
        if self.method != "GET":
            raise RefusedError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
        if unknown := self.query.keys() - _KNOWN:
            raise RefusedError(400, "BadRequest", f"this server knows nothing of {sorted(unknown)}")
        if self.query.get("continue") and self.query.get("resourceVersion", "0") != "0":
            raise RefusedError(400, "BadRequest", "specifying resource version is not allowed when using continue")

    def on(self, name: str) -> bool:
        """Whether the parameter is set to true."""
        return self.query.get(name) in {"1", "true"}


@dataclass(frozen=True, slots=True)
class Resource:
    """What a path is about: a collection, of one namespace or of all, or one object of it."""

    prefix: str
    namespace: str
    plural: str
    name: str

    @classmethod
    def of(cls, path: str) -> Self | None:
        """It, where the path is about any."""
        parts = _PATH.fullmatch(path)
        return cls(*parts.groups("")) if parts else None

    @property
    def collection(self) -> str:
        """The path of its collection in all namespaces."""
        return f"{self.prefix}/{self.plural}"

    @property
    def version(self) -> str:
        """The apiVersion of its objects."""
        return self.prefix.removeprefix("/apis/").removeprefix("/api/")

    @property
    def kind(self) -> str:
        """The kind of its objects."""
        return _KINDS.get(self.plural, self.plural[:-1].capitalize())

    def missing(self) -> RefusedError:
        """That there is no such object."""
        return RefusedError(404, "NotFound", f"{self._subject} not found", **self._details)

    def forbidden(self, asked: Asked) -> RefusedError:
        """That the user may not, in kube-apiserver's words."""
        user = "system:serviceaccount:default:wakequeue" if asked.authorization else "system:anonymous"
        verb = "get" if self.name else "watch" if asked.on("watch") else "list"
        scope = f'in the namespace "{self.namespace}"' if self.namespace else "at the cluster scope"
        cannot = f'User "{user}" cannot {verb} resource "{self.plural}" in API group "{self._group}" {scope}'
        return RefusedError(403, "Forbidden", f"{self._subject} is forbidden: {cannot}", **self._details)

    @property
    def _group(self) -> str:
        return self.version.rpartition("/")[0]

    @property
    def _subject(self) -> str:
        full = f"{self.plural}.{self._group}" if self._group else self.plural
        return f'{full} "{self.name}"' if self.name else full

    @property
    def _details(self) -> dict[str, str]:
        return {"name": self.name, "group": self._group, "kind": self.plural}

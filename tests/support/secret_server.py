"""As much of Kubernetes' API as Helm asks for where a chart looks Secrets up: the kinds that there are, and a release's Secrets."""

import base64
import json
import threading
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

from support.chart import Object

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: here, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
contexts: [{{name: here, context: {{cluster: here, user: me}}}}]
users: [{{name: me, user: {{}}}}]
current-context: here
"""


class SecretServer:
    """Serves until it is closed; `kinds` are objects whose kinds there are, `passwords` those in a release's Secrets, by name."""

    def __init__(self, kinds: Iterable[Object], passwords: Mapping[str, str], release: str, namespace: str) -> None:
        answers = _discovery(kinds)
        for name, password in passwords.items():
            owner = {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": namespace}
            labels = {"app.kubernetes.io/managed-by": "Helm"}
            metadata = {"name": name, "namespace": namespace, "labels": labels, "annotations": owner}
            data = {"password": base64.b64encode(password.encode()).decode()}
            secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
            answers[f"/api/v1/namespaces/{namespace}/secrets/{name}"] = secret

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = answers.get(self.path.partition("?")[0])
                body = json.dumps(found or {"kind": "Status", "apiVersion": "v1", "reason": "NotFound", "code": 404}).encode()
                self.send_response(200 if found else 404)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_said: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def kubeconfig(self, path: Path) -> Path:
        """Write the file by which Helm finds it."""
        path.write_text(KUBECONFIG.format(port=self._server.server_port))
        return path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _discovery(kinds: Iterable[Object]) -> dict[str, Object]:
    versions: dict[str, dict[str, bool]] = {}
    for one in kinds:
        versions.setdefault(one["apiVersion"], {})[one["kind"]] = "namespace" in one["metadata"]
    answers: dict[str, Object] = {"/version": {"major": "1", "minor": "35", "gitVersion": "v1.35.0"}}
    groups = [version for version in versions if "/" in version]
    answers["/api"] = {"kind": "APIVersions", "versions": ["v1"]}
    answers["/apis"] = {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(version) for version in groups]}
    for version, found in versions.items():
        resources = [
            {"name": f"{kind.lower()}s", "kind": kind, "namespaced": namespaced, "verbs": ["get"]}
            for kind, namespaced in found.items()
        ]
        root = "/apis" if "/" in version else "/api"
        answers[f"{root}/{version}"] = {"kind": "APIResourceList", "groupVersion": version, "resources": resources}
    return answers


def _group(version: str) -> Object:
    group, number = version.split("/")
    said = {"groupVersion": version, "version": number}
    return {"name": group, "versions": [said], "preferredVersion": said}

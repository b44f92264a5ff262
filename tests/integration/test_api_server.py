"""The API server that tests have in kube-apiserver's place: that it lists and watches as kube-apiserver does."""

import contextlib
import http.client
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

import pytest
import yaml
from support.api_server import ApiServer
from support.waiting import wait_until

REVISIONS = "/apis/serving.knative.dev/v1/revisions"
CONFIG_MAPS = "/api/v1/configmaps"


def revision(name: str, namespace: str = "default", **labels: str) -> dict[str, Any]:
    """A Revision, as little of it as there can be."""
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "serving.knative.dev/v1", "kind": "Revision", "metadata": metadata}


class Client:
    """One keep-alive connection."""

    def __init__(self, server: ApiServer, within: float = 10.0, **headers: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=within)
        self._headers = headers
        self._answer: http.client.HTTPResponse | None = None

    def get(self, path: str, **query: object) -> tuple[int, dict[str, Any]]:
        """The status, and the document."""
        answer = self._ask(path, query)
        return answer.status, json.loads(answer.read())

    def watch(self, path: str = REVISIONS, **query: object) -> Iterator[dict[str, Any]]:
        """The lines of a watch that began well."""
        answer = self._ask(path, {"watch": 1, **query})
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
        return (json.loads(line) for line in answer)

    def is_cut(self) -> bool:
        """Whether the answer ended without its last chunk."""
        assert self._answer is not None
        with contextlib.suppress(http.client.IncompleteRead, ConnectionError):
            self._answer.read()
            return False
        return True

    def _ask(self, path: str, query: dict[str, object]) -> http.client.HTTPResponse:
        self._connection.request("GET", f"{path}?{urlencode(query)}", headers=self._headers)
        self._answer = self._connection.getresponse()
        return self._answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.leave()

    def leave(self) -> None:
        """End the connection, and what is being answered on it."""
        self._connection.close()
        if self._answer is not None:
            self._answer.close()


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """A server without objects."""
    with ApiServer(bookmark_every=0.1) as started:
        yield started


@pytest.fixture
def client(server: ApiServer) -> Iterator[Client]:
    """A connection to it."""
    with Client(server) as connected:
        yield connected


def names(listed: dict[str, Any]) -> list[str]:
    """The names of a list's objects."""
    return [one["metadata"]["name"] for one in listed["items"]]


def told(line: dict[str, Any]) -> tuple[str, str, str]:
    """A watch line in short."""
    metadata = line["object"]["metadata"]
    return line["type"], metadata["name"], metadata["resourceVersion"]


def test_pages_are_of_one_version(server: ApiServer, client: Client) -> None:
    """Later pages show the objects as of the first page's version, whatever became of them, and only the last has no token."""
    for name in "abcde":
        server.put(REVISIONS, revision(name))
    _, first = client.get(REVISIONS, limit=2)
    version = first["metadata"]["resourceVersion"]
    server.delete(REVISIONS, "default", "c")
    server.put(REVISIONS, revision("d", new="label"))
    server.put(REVISIONS, revision("bb"))
    _, second = client.get(REVISIONS, **{"limit": 2, "continue": first["metadata"]["continue"]})
    _, third = client.get(REVISIONS, **{"limit": 2, "continue": second["metadata"]["continue"]})
    assert [names(page) for page in (first, second, third)] == [["a", "b"], ["c", "d"], ["e"]]
    assert second["items"][1]["metadata"]["labels"] == {}
    assert [page["metadata"]["resourceVersion"] for page in (second, third)] == [version, version]
    assert "continue" not in third["metadata"]
    assert (first["kind"], first["apiVersion"]) == ("RevisionList", "serving.knative.dev/v1")


def test_version_0_is_listed_in_one_piece(server: ApiServer, client: Client) -> None:
    """As kube-apiserver's cache does, whatever the limit."""
    for name in "abc":
        server.put(REVISIONS, revision(name))
    assert names(client.get(REVISIONS, limit=1, resourceVersion=0)[1]) == ["a", "b", "c"]


def test_a_token_of_a_forgotten_version_is_expired(server: ApiServer, client: Client) -> None:
    """It is 410, and a list without it begins anew."""
    for name in "abc":
        server.put(REVISIONS, revision(name))
    token = client.get(REVISIONS, limit=1)[1]["metadata"]["continue"]
    server.put(REVISIONS, revision("d"))
    server.compact()
    status, answer = client.get(REVISIONS, **{"limit": 1, "continue": token})
    assert (status, answer["kind"], answer["reason"], answer["code"]) == (410, "Status", "Expired", 410)
    assert names(client.get(REVISIONS)[1]) == ["a", "b", "c", "d"]


def test_lists_and_objects_by_path(server: ApiServer, client: Client) -> None:
    """A namespace's list has its objects alone; an object has a path of its own, and one that isn't there is 404."""
    server.put(REVISIONS, revision("a", "one"))
    server.put(REVISIONS, revision("a", "two"))
    server.put(CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "one"}})
    server.answers["/version"] = {"gitVersion": "v1.33.1"}
    _, listed = client.get("/apis/serving.knative.dev/v1/namespaces/two/revisions")
    assert [one["metadata"]["namespace"] for one in listed["items"]] == ["two"]
    assert client.get("/api/v1/namespaces/one/configmaps/c")[1]["kind"] == "ConfigMap"
    assert client.get("/version") == (200, {"gitVersion": "v1.33.1"})
    status, missing = client.get("/apis/serving.knative.dev/v1/namespaces/one/revisions/b")
    assert (status, missing["message"]) == (404, 'revisions.serving.knative.dev "b" not found')


def test_a_watch_sees_every_later_change(server: ApiServer, client: Client) -> None:
    """In order, of its own collection, from the version on, whether before it began or after; and it ends when told to."""
    server.put(REVISIONS, revision("before"))
    version = client.get(REVISIONS)[1]["metadata"]["resourceVersion"]
    added = server.put(REVISIONS, revision("a"))
    server.put(CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "one"}})
    lines = client.watch(resourceVersion=version, timeoutSeconds=4)
    modified = server.put(REVISIONS, revision("a"))
    deleted = server.delete(REVISIONS, "default", "a")
    expected = [("ADDED", "a", f"{added}"), ("MODIFIED", "a", f"{modified}"), ("DELETED", "a", f"{deleted}")]
    assert [told(line) for line in lines] == expected
    assert client.get(REVISIONS)[0] == 200


@pytest.mark.parametrize("query", [{}, {"resourceVersion": 0}])
def test_a_watch_from_nowhere_begins_with_all(server: ApiServer, client: Client, query: dict[str, object]) -> None:
    """All that there is is added first."""
    versions = [server.put(REVISIONS, revision(name)) for name in "ab"]
    lines = client.watch(**query)
    assert [told(next(lines)), told(next(lines))] == [("ADDED", "a", f"{versions[0]}"), ("ADDED", "b", f"{versions[1]}")]
    later = server.put(REVISIONS, revision("c"))
    assert told(next(lines)) == ("ADDED", "c", f"{later}")


def test_bookmarks(server: ApiServer, client: Client) -> None:
    """A watch that allows them has them, of the version of everything; one that does not, does not."""
    server.put(REVISIONS, revision("a"))
    version = server.put(CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "one"}})
    bookmark = next(client.watch(resourceVersion=version - 1, allowWatchBookmarks="true"))
    assert bookmark["type"] == "BOOKMARK"
    assert (bookmark["object"]["kind"], bookmark["object"]["apiVersion"]) == ("Revision", "serving.knative.dev/v1")
    assert bookmark["object"]["metadata"]["resourceVersion"] == f"{version}"
    with Client(server) as other:
        assert list(other.watch(resourceVersion=version, timeoutSeconds=1)) == []


def test_a_watch_of_a_forgotten_version(server: ApiServer, client: Client) -> None:
    """It is told so in its stream, or at once; the version of the forgetting can be watched from."""
    old = server.put(REVISIONS, revision("a"))
    now = server.put(REVISIONS, revision("b"))
    server.compact()
    [line] = client.watch(resourceVersion=old)
    assert (line["type"], line["object"]["reason"], line["object"]["code"]) == ("ERROR", "Expired", 410)
    assert line["object"]["message"] == f"too old resource version: {old} ({now})"
    server.gone_at_once = True
    status, answer = client.get(REVISIONS, watch=1, resourceVersion=old)
    assert (status, answer) == (410, line["object"])
    lines = client.watch(resourceVersion=now)
    later = server.put(REVISIONS, revision("c"))
    assert told(next(lines)) == ("ADDED", "c", f"{later}")


def test_selected_objects_come_and_go(server: ApiServer, client: Client) -> None:
    """An object that begins to match is added, and one that ends to is deleted, as it last matched."""
    start = server.put(REVISIONS, revision("a", app="x"))
    lines = client.watch(resourceVersion=start, labelSelector="app=x,kept")
    server.put(REVISIONS, revision("a", app="y", kept=""))
    came = server.put(REVISIONS, revision("a", app="x", kept=""))
    went = server.put(REVISIONS, revision("a", app="x"))
    server.delete(REVISIONS, "default", "a")
    last = server.put(REVISIONS, revision("b", app="x", kept="yes"))
    assert told(next(lines)) == ("ADDED", "a", f"{came}")
    gone = next(lines)
    assert (told(gone), gone["object"]["metadata"]["labels"]) == (("DELETED", "a", f"{went}"), {"app": "x", "kept": ""})
    assert told(next(lines)) == ("ADDED", "b", f"{last}")
    with Client(server) as other:
        assert names(other.get(REVISIONS, labelSelector="app=x,kept")[1]) == ["b"]


def test_watches_are_dropped(server: ApiServer, client: Client) -> None:
    """Their connections are aborted, others stay; a client that leaves is no watch either."""
    client.watch()
    with Client(server) as other, Client(server) as leaving:
        other.get(REVISIONS)
        leaving.watch()
        assert server.open_watches == {REVISIONS: 2}
        leaving.leave()
        wait_until(lambda: server.open_watches == {REVISIONS: 1}, what="one watch to end")
        server.drop_watches()
        assert not server.open_watches
        assert client.is_cut()
        assert other.get(REVISIONS)[0] == 200


def test_it_stops_and_starts(server: ApiServer, client: Client) -> None:
    """Connections are aborted and none is taken; then the same port has the same objects."""
    server.put(REVISIONS, revision("a"))
    next(client.watch())
    server.stop()
    assert client.is_cut()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), 1)
    server.start()
    with Client(server) as other:
        assert names(other.get(REVISIONS)[1]) == ["a"]


def test_it_hangs(server: ApiServer, client: Client) -> None:
    """Muted, it takes requests and says nothing; then it goes on where it was."""
    lines = client.watch()
    server.mute()
    added = server.put(REVISIONS, revision("a"))
    with Client(server, within=0.2) as other, pytest.raises(TimeoutError):
        other.get(REVISIONS)
    wait_until(lambda: [path for path, _ in server.requests] == [REVISIONS, REVISIONS], what="both requests")
    server.unmute()
    assert told(next(lines)) == ("ADDED", "a", f"{added}")


def test_it_stops_while_it_hangs(server: ApiServer, client: Client) -> None:
    """A muted server can be stopped, and started."""
    server.mute()
    with Client(server, within=0.2) as other, pytest.raises(TimeoutError):
        other.get(REVISIONS)
    server.stop()
    server.start()
    server.unmute()
    assert client.get(REVISIONS)[0] == 200


def test_lines_are_delayed(server: ApiServer, client: Client) -> None:
    """Each is, and no bookmark goes before what it speaks of."""
    server.delay = 0.1
    for name in "abc":
        server.put(REVISIONS, revision(name))
    began = time.monotonic()
    lines = client.watch(allowWatchBookmarks="true")
    assert [next(lines)["object"]["metadata"]["name"] for _ in range(3)] == ["a", "b", "c"]
    assert time.monotonic() - began > 0.29


def test_a_token_is_needed(server: ApiServer) -> None:
    """A request with none, or with that of before, is 401."""
    server.token = "new"
    for headers, status in (({}, 401), ({"Authorization": "Bearer old"}, 401), ({"Authorization": "Bearer new"}, 200)):
        with Client(server, **headers) as client:
            assert client.get(REVISIONS)[0] == status


def test_a_collection_is_forbidden(server: ApiServer, client: Client) -> None:
    """In kube-apiserver's words; others are not."""
    server.deny.add(REVISIONS)
    status, answer = client.get(REVISIONS)
    assert (status, answer["reason"], answer["code"]) == (403, "Forbidden", 403)
    assert answer["details"] == {"group": "serving.knative.dev", "kind": "revisions"}
    assert answer["message"] == (
        'revisions.serving.knative.dev is forbidden: User "system:anonymous" cannot list resource "revisions" '
        'in API group "serving.knative.dev" at the cluster scope'
    )
    assert client.get(CONFIG_MAPS)[0] == 200


def test_requests_fail(server: ApiServer, client: Client) -> None:
    """As many as were asked for, with a Status."""
    server.fail_next(2)
    server.fail_next(1, 429)
    answers = [client.get(REVISIONS) for _ in range(4)]
    assert [status for status, _ in answers] == [500, 500, 429, 200]
    assert [answer.get("reason") for _, answer in answers] == ["InternalError", "InternalError", "TooManyRequests", None]


def test_a_kubeconfig_leads_to_it(server: ApiServer, tmp_path: Path) -> None:
    """Its user bears the present token, or nothing."""
    server.token = "secret"
    read = yaml.safe_load(server.kubeconfig(tmp_path / "config").read_text())
    assert (read["clusters"][0]["cluster"]["server"], read["users"][0]["user"]) == (server.url, {"token": "secret"})
    server.token = ""
    assert yaml.safe_load(server.kubeconfig(tmp_path / "config").read_text())["users"][0]["user"] == {}


def test_what_it_does_not_know_it_refuses(server: ApiServer, client: Client) -> None:
    """A parameter or a form of selector that would be ignored is 400, an unknown path is 404, and another method 405."""
    assert client.get(REVISIONS, fieldSelector="metadata.name=a")[0] == 400
    assert client.get(REVISIONS, labelSelector="app!=x")[0] == 400
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{server.url}/nowhere")
    with pytest.raises(urllib.error.HTTPError, match="405"):
        urllib.request.urlopen(f"{server.url}{REVISIONS}", b"{}")

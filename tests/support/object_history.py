"""What a Kubernetes API server knows of its objects: how they are, and how they were at each version that it did not forget."""

import base64
import copy
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from support.api_request import Object, RefusedError

_TOO_OLD_TO_CONTINUE = (
    "The provided continue parameter is too old to display a consistent list result. "
    "You can start a new list without the continue parameter."
)


@dataclass(frozen=True, slots=True)
class Change:
    """An object before and after a revision; None where there was or is none."""

    revision: int
    collection: str
    before: Object | None
    after: Object | None

    def line(self, selects: Callable[[Object], bool]) -> Object | None:
        """What a watch of the selected objects is told of it, if anything."""
        before = self.before is not None and selects(self.before)
        if self.after is not None and selects(self.after):
            return {"type": "MODIFIED" if before else "ADDED", "object": self.after}
        if self.before is None or not before:
            return None
        metadata = self.before["metadata"] | {"resourceVersion": str(self.revision)}
        return {"type": "DELETED", "object": self.before | {"metadata": metadata}}


class ObjectHistory:
    """Objects by collection path, and all changes since a revision. One counter counts the changes of anything, as etcd's does."""

    def __init__(self) -> None:
        self.revision = self.compacted = 1
        self._then: dict[tuple[str, str], Object] = {}
        self._now: dict[tuple[str, str], Object] = {}
        self._changes: list[Change] = []

    def put(self, collection: str, given: Object) -> Change:
        """Add the object, or replace the one of its namespace and name."""
        after = copy.deepcopy(given)
        before = self._now.get((collection, key(after)))
        kept = before["metadata"] if before else {"uid": str(uuid.uuid4()), "creationTimestamp": "2026-01-01T00:00:00Z"}
        after["metadata"] = {name: kept[name] for name in ("uid", "creationTimestamp")} | after["metadata"]
        after["metadata"]["resourceVersion"] = str(self.revision + 1)
        return self._change(collection, before, after)

    def delete(self, collection: str, namespace: str, name: str) -> Change:
        """Remove the object; there must be one."""
        return self._change(collection, self._now[collection, f"{namespace}/{name}"], None)

    def at(self, collection: str, revision: int) -> list[Object]:
        """The objects of a collection as of a revision, in etcd's order."""
        objects = dict(self._now if revision == self.revision else self._then)
        for change in self._changes if revision < self.revision else []:
            if change.revision <= revision:
                _apply(objects, change)
        return [one for (kind, _), one in sorted(objects.items(), key=lambda item: item[0]) if kind == collection]

    def since(self, collection: str, revision: int) -> list[Change]:
        """What changed after a revision; after none, all that there is is added."""
        if not revision:
            return [Change(self.revision, collection, None, one) for one in self.at(collection, self.revision)]
        if revision < self.compacted:
            raise RefusedError(410, "Expired", f"too old resource version: {revision} ({self.compacted})")
        return [change for change in self._changes if change.collection == collection and change.revision > revision]

    def page(self, collection: str, selects: Callable[[Object], bool], limit: int, token: str) -> tuple[list[Object], Object]:
        """What is selected from the token's place on, at most `limit` unless that is 0, and the list's metadata."""
        place = json.loads(base64.urlsafe_b64decode(token)) if token else {"rv": self.revision, "start": ""}
        if place["rv"] < self.compacted:
            raise RefusedError(410, "Expired", _TOO_OLD_TO_CONTINUE)
        left = [one for one in self.at(collection, place["rv"]) if key(one) >= place["start"] and selects(one)]
        items, metadata = left[: limit or None], {"resourceVersion": str(place["rv"])}
        if len(items) < len(left):
            place = {"v": "meta.k8s.io/v1", "rv": place["rv"], "start": f"{key(items[-1])}\0"}
            metadata["continue"] = base64.urlsafe_b64encode(json.dumps(place).encode()).decode()
        return items, metadata

    def compact(self) -> None:
        """Forget how things were before now."""
        self._then, self._changes, self.compacted = dict(self._now), [], self.revision

    def _change(self, collection: str, before: Object | None, after: Object | None) -> Change:
        self.revision += 1
        change = Change(self.revision, collection, before, after)
        self._changes.append(change)
        _apply(self._now, change)
        return change


def key(one: Object) -> str:
    """The object's place within its collection."""
    return f"{one['metadata'].get('namespace', '')}/{one['metadata']['name']}"


def selection(namespace: str, selector: str) -> Callable[[Object], bool]:
    """Whether an object is in the namespace, if one is named, and has the labels: `key=value` or `key`, and no other form."""
    if any(mark in selector for mark in "!( "):
        raise RefusedError(400, "BadRequest", f"this server knows no label selector like {selector!r}")
    terms = [term.replace("==", "=").partition("=") for term in selector.split(",") if term]

    def selects(one: Object) -> bool:
        labels = one["metadata"].get("labels", {})
        here = namespace in {"", one["metadata"].get("namespace")}
        return here and all(name in labels and (not equal or labels[name] == value) for name, equal, value in terms)

    return selects


def _apply(objects: dict[tuple[str, str], Object], change: Change) -> None:
    if change.after is not None:
        objects[change.collection, key(change.after)] = change.after
    elif change.before is not None:
        del objects[change.collection, key(change.before)]

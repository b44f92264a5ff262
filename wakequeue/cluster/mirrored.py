"""What the objects of all mirrored collections have, and what is read of their conditions. Pure."""

from typing import Any, ClassVar, Final

from msgspec import Struct, field

from wakequeue.revision import Revision

#: The most that is kept of what Knative says: messages may quote a container's whole output.
LONGEST: Final = 500

#: Conditions that follow from others, with their reasons: that a Revision isn't ready, sleeps, or wakes
#: (knative.dev/serving pkg/apis/autoscaling/v1alpha1/pa_lifecycle.go, pkg/reconciler/autoscaling/kpa/kpa.go).
EFFECTS: Final = frozenset(
    {("Active", "NoTraffic"), ("Active", "Queued"), ("Active", "Deploying"), ("Active", ""), ("SKSReady", "NoHealthyBackends")}
)


class Meta(Struct):
    """An object's metadata."""

    name: str = ""
    namespace: str = ""
    version: str = field(default="", name="resourceVersion")

    @property
    def key(self) -> str:
        """The object's key in its collection."""
        return f"{self.namespace}/{self.name}"


class Condition(Struct, rename="camel"):
    """One of the conditions in an object's status."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""


class Conditions(Struct):
    """A status of which the conditions count."""

    conditions: list[Condition] | None = None

    def against(self) -> str:
        """What is not as it should be, as `REASON: message`, without what only sums that up, or says that nothing is ready."""
        said = {f"{one.reason or one.type}: {one.message}".rstrip(": ") for one in self.conditions or () if _is_cause(one)}
        return "; ".join(sorted(said))[:LONGEST]


class Mirrored(Struct):
    """An object of a collection: `path` and `selector` say which, and `kept` what stays of it, None for nothing."""

    path: ClassVar[str]
    selector: ClassVar[str] = ""

    metadata: Meta = field(default_factory=Meta)

    @classmethod
    def collection(cls) -> str:
        """The collection's name, such as `revisions`: a label value."""
        return cls.path.rpartition("/")[2]

    def kept(self) -> Any:  # noqa: ANN401  each collection's own
        """What is kept of the object."""
        raise NotImplementedError

    def unreadable(self) -> str:
        """What else it says, and can't be read; empty where that is nothing."""
        return ""


Collection = type[Mirrored]


def revisions(namespace: str, *names: str) -> tuple[Revision, ...]:
    """Those of the names that can be a Revision's."""
    found = []
    for name in names:
        try:
            found.append(Revision(namespace, name))
        except ValueError:
            continue
    return tuple(found)


def _is_cause(condition: Condition) -> bool:
    says = condition.reason or condition.message
    return (
        bool(says)
        and condition.status not in {"True", ""}
        and condition.type != "Ready"
        and (condition.type, condition.reason) not in EFFECTS
    )

"""All that an operator can set, each with its default.

A comment `#:` above each says what it does, in which unit. `wakequeue.setting_sources.load` reads them, and is the only way in.
"""

import os
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from wakequeue.episode import Rhythm
from wakequeue.redis_url import RedisUrl
from wakequeue.release import Release
from wakequeue.setting_files import CertificatesFile, KeyFile, SecretFile
from wakequeue.setting_schedules import Groups, Schedules
from wakequeue.setting_shown import shown
from wakequeue.setting_times import Zone
from wakequeue.setting_types import (
    Address,
    ClientGlobs,
    Endpoint,
    File,
    Header,
    HostGlobs,
    HostTable,
    Methods,
    Names,
    NamespaceGlobs,
    PathGlobs,
    Seconds,
    Secret,
    ServicePatterns,
    User,
    UserAgentGlobs,
)

Count = Annotated[int, Meta(ge=1)]
#: A count that follows from another one, where it is 0.
Share = Annotated[int, Meta(ge=0)]
#: As much as gRPC counts in its own options.
Bytes = Annotated[int, Meta(ge=1 << 10, le=1 << 30)]
Streams = Annotated[int, Meta(ge=1, le=1 << 30)]


def _default_data_dir() -> str:
    state = os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
    return str(Path(state, "wakequeue"))


class Limits(NamedTuple):
    """Reports a second, and how many at once: of all namespaces, and of one."""

    per_second: int
    burst: int
    namespace_per_second: int
    namespace_burst: int


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that an operator can set, each with its default. Times are in seconds once read."""

    # The front: gRPC
    #: Where the front answers gRPC.
    grpc_address: Address = Address("127.0.0.1:6100")
    #: The front's certificate (with those that lead to its authority) and its key, as PEM: with them gRPC is TLS. Read again
    #: when they change.
    grpc_certificate_file: File = File()
    grpc_key_file: File = File()
    #: The authorities of clients, as PEM: with it every client must show a certificate that one of them signed.
    grpc_client_ca_file: File = File()
    #: The URIs, such as SPIFFE ids, of which a client's certificate must carry one; none means all clients of those authorities.
    grpc_allowed_clients: ClientGlobs = ClientGlobs()
    #: The token that every call but a health check must carry; or the file that holds it, read again when it changes. A file may
    #: hold several, each of which will do, so that no caller is refused while a token is replaced.
    grpc_token: Secret = Secret()
    grpc_token_file: File = File()
    #: The header that carries it: in `authorization` it is `Bearer TOKEN`, in any other the token alone.
    grpc_token_header: Header = Header("authorization")
    #: The most bytes of one message, and of one call's headers.
    grpc_message_bytes: Bytes = 1 << 20
    grpc_metadata_bytes: Bytes = 1 << 14
    #: How many calls one connection may have in flight; more wait at the caller. Mixer has up to 1,024.
    grpc_calls_in_flight: Streams = 4_096
    # The front: HTTP
    #: Where the front answers HTTP, in the place of Knative's activator: HTTP/1.1, and h2c with prior knowledge.
    http_address: Address = Address("127.0.0.1:8012")
    #: Whether a browser (GET, Accept: text/html) that asks for a sleeping application gets a page that asks again by itself, rather
    #: than being held by the gateway.
    page: bool = False
    # Which calls wake
    #: Which calls wake, by whatever protocol they come; the others are answered, and counted by reason. Probes never wake.
    #: The methods; none means all.
    methods: Methods = Methods()
    #: User agents whose requests wake nothing, such as those of crawlers and monitors.
    denied_user_agents: UserAgentGlobs = UserAgentGlobs()
    #: Paths, hosts and namespaces whose requests may wake, and those of them that may not.
    paths: PathGlobs = PathGlobs(["*"])
    denied_paths: PathGlobs = PathGlobs()
    hosts: HostGlobs = HostGlobs(["*"])
    denied_hosts: HostGlobs = HostGlobs()
    namespaces: NamespaceGlobs = NamespaceGlobs(["*"])
    denied_namespaces: NamespaceGlobs = NamespaceGlobs()
    # Every process: metrics, log, spans
    #: Where a process serves /metrics, /livez and /readyz.
    admin_address: Address = Address("127.0.0.1:6101")
    #: How a process writes its log: as lines for people (`text`), or one JSON object a line (`json`); `auto`: text to a terminal.
    log_format: Literal["auto", "text", "json"] = "auto"
    #: Whether spans are sent by OTLP, which needs the extra `traces`; where to, and how many, OpenTelemetry's own variables say.
    traces: bool = False
    # Flower
    #: Where Flower answers, and who may look: without a password, those on this machine alone.
    flower_address: Address = Address("127.0.0.1:5555")
    flower_user: User = User("wakequeue")
    flower_password: Secret = Secret()
    flower_password_file: SecretFile = SecretFile("")
    # Redis
    #: The Redis that holds the ledger and the queue; empty means an embedded one, reached at a socket in `data_dir`.
    redis_url: RedisUrl = RedisUrl("")
    #: Over TLS: authorities that may vouch for Redis, besides the system's, and a certificate with its key to show it.
    redis_ca_file: CertificatesFile = CertificatesFile("")
    redis_certificate_file: CertificatesFile = CertificatesFile("")
    redis_key_file: KeyFile = KeyFile("")
    #: The password for Redis, and the Sentinels' own, each in a file rather than in the URL.
    redis_password_file: SecretFile = SecretFile("")
    redis_sentinel_password_file: SecretFile = SecretFile("")
    #: Where the embedded Redis keeps its socket and its append-only file, and Flower its history.
    data_dir: Annotated[str, Meta(min_length=1)] = msgspec.field(default_factory=_default_data_dir)
    # The Autoscaler
    #: The Autoscaler's stat server; empty means a local stand-in, which only `wakequeue up` starts.
    autoscaler_endpoint: Endpoint = Endpoint("")
    #: Over TLS: the only authorities that may vouch for the Autoscaler (empty: the system's), and a certificate with its key.
    autoscaler_ca_file: CertificatesFile = CertificatesFile("")
    autoscaler_certificate_file: CertificatesFile = CertificatesFile("")
    autoscaler_key_file: KeyFile = KeyFile("")
    #: A bearer token for the Autoscaler.
    autoscaler_token_file: SecretFile = SecretFile("")
    #: Knative Serving's release, which decides the frame format: wrong ones fail silently, so nothing is guessed.
    #: `0.16/gob`, `0.16/json` ... `0.19/protobuf` choose the format in the releases that read two.
    knative_release: Release = Release.parse("1.23")
    #: The pod name that reports carry.
    pod_name: Annotated[str, Meta(min_length=1, max_length=253)] = "activator-wakequeue"
    # Which Revision a call means
    #: Patterns tried on a call's service or cluster before the built-in forms: one, or a list (in the environment a JSON list).
    service_patterns: ServicePatterns = ServicePatterns()
    #: The Revisions of hosts, for calls that nothing better names.
    revisions_by_host: HostTable = msgspec.field(default_factory=HostTable)
    #: Whether to read from Kubernetes which Revisions a host means, and which are ready; `auto`: where the process is a pod that
    #: has a service account, and the extra `kubernetes` is installed.
    kubernetes: Literal["off", "auto", "on"] = "auto"
    #: Which Revisions a call wakes whose host is that of a Route that splits its traffic: all that have a share, or the one with
    #: the largest.
    split: Literal["all", "largest"] = "all"
    #: What the dimensions, variables and properties are called in which Mixer's instances say the Revision, where a template has no
    #: field for it: the first that says something is taken. Case, `_`, `-` and `.` in a name don't matter.
    mixer_namespace_names: Names = Names(["namespace", "destination_service_namespace", "destination_namespace"])
    mixer_service_names: Names = Names(
        ["service", "revision", "destination_service_host", "destination_service", "destination_service_name"]
    )

    # What a caller waits for
    #: The front answers OK after this long even when the wake-up is not yet durable (and before half of the caller's time is gone).
    answer_within: Seconds = Seconds(0.1)
    #: How long an answer may be cached by the gateway while a Revision is awake: shorter than `idle_after`.
    awake_cache: Seconds = Seconds(2)
    #: Whether Envoy's ext_authz is answered with headers that have the request tried again until its application is up, where the
    #: route has no retry policy of its own. They also take the route's timeout away.
    envoy_retry_headers: bool = False
    #: When a call of a sleeping Revision is answered by ext_authz and the HTTP port: at once (`notify`), or once the Revision is
    #: ready or the caller's deadline is near (`hold`), which needs `kubernetes`.
    mode: Literal["notify", "hold"] = "notify"
    #: How many calls a front holds, and for how long where their callers name no deadline; those beyond it are answered at once.
    hold_at_most: Count = 10_000
    hold_for: Seconds = Seconds(50)
    #: How long calls wait for others to share their commit, where the front is short of processor time.
    linger: Seconds = Seconds(0.004)
    #: How many Revisions' calls a front holds while Redis is away; calls beyond it are dropped and counted.
    buffer_revisions: Count = 100_000
    #: How long a process that is told to stop may take to finish what it has begun.
    drain_within: Seconds = Seconds(5)

    # The rhythm of reports
    #: A Revision that was not called for this long is asleep: shorter than the shortest stable window, 6 s.
    idle_after: Seconds = Seconds(5)
    #: How long a wake-up is repeated after its first report: a usual cold start.
    waking_for: Seconds = Seconds(3)
    #: A wake-up whose Revision, as `kubernetes` says, isn't ready so long after its first call is buried as unwoken.
    unwoken_after: Seconds = Seconds(120)
    #: The time between two reports of one Revision.
    report_every: Seconds = Seconds(1)
    #: How soon after a first report the one correction of it may follow.
    correct_after: Seconds = Seconds(0.2)
    #: The concurrency reported for an awake Revision: wakes it should it be at zero, weighs nothing otherwise.
    awake_concurrency: Annotated[float, Meta(gt=0, le=1)] = 0.001
    #: How long a caller is thought to wait for its application, when a report comes late.
    patience: Seconds = Seconds(15)
    #: `activator` reports as Knative's activator does; `original`, as the adapter of 2019, says concurrency 1 and one request.
    report_style: Literal["activator", "original"] = "activator"

    # Waking ahead of calls
    #: What wakes without a call: by name, when, which Revisions, and for how long they are kept warm; `wakequeue beat` starts them.
    schedules: Schedules = msgspec.field(default_factory=Schedules)
    #: The time zone of schedules that name none, and of times of day that are given by hand.
    zone: Zone = Zone("UTC")
    #: A start that was missed, because nothing ran, or Redis was away, is made up if it is less than so long ago; else it is buried
    #: as expired.
    make_up_within: Seconds = Seconds(300)
    #: Who wakes with whom: applications (where `kubernetes` is read) or Revisions, each with those that a wake-up of it wakes too.
    groups: Groups = msgspec.field(default_factory=Groups)
    #: How far that goes, from one to those that wake with those, and how many Revisions one wake-up wakes besides at most.
    group_depth: Count = 3
    group_size: Count = 100
    #: How many callers at once Knative gives one pod, where the cluster doesn't say it of a Revision: what more pods than one are
    #: kept with. 70 is 70 % (container-concurrency-target-percentage) of 100 (container-concurrency-target-default).
    callers_per_pod: Annotated[float, Meta(gt=0, le=1_000_000)] = 70.0

    # Delivery
    #: How long a worker may keep a wake-up before another takes it.
    lease_for: Seconds = Seconds(3.5)
    #: How long a report may wait for its connection and its pong: shorter than `lease_for`.
    confirm_within: Seconds = Seconds(2.5)
    #: The first and the longest back-off of a delivery that failed.
    retry_after: Seconds = Seconds(0.1)
    retry_at_most: Seconds = Seconds(2)
    #: The first and the longest back-off of the connection to the Autoscaler.
    reconnect_after: Seconds = Seconds(0.05)
    reconnect_at_most: Seconds = Seconds(1)
    #: A wake-up whose last call is older is buried as expired.
    max_age: Seconds = Seconds(300)
    #: The reports that all workers together make in a second, and how many at once after a quiet time; 0 means as many.
    rate_limit: Count = 20_000
    rate_burst: Share = 0
    #: The same for the Revisions of one namespace, less than for all, so that a noisy one leaves room for the others; a limit of 0
    #: means half of that of all.
    namespace_rate_limit: Share = 0
    namespace_rate_burst: Share = 0
    #: How many dead letters are kept, and for how long; those beyond it are dropped, the oldest first, and counted.
    keep_dead_letters: Count = 10_000
    keep_dead_letters_for: Seconds = Seconds(7 * 24 * 3600)
    #: How many entries of the audit trail are kept, roughly: the newest.
    keep_history: Count = 10_000
    #: A doorbell that nobody answered is rung again after this long.
    ring_again: Seconds = Seconds(1)
    #: No doorbell is rung while the queue holds this many tasks, two for each thread of a worker: the sweep rings later, and for
    #: many Revisions at once.
    ring_below: Count = 16
    #: A worker that asked for nothing for so long, while wake-ups are due, says on /livez that it is stuck.
    stuck_after: Seconds = Seconds(15)
    #: How often a worker looks for what is due.
    sweep_every: Seconds = Seconds(0.1)

    @property
    def limits(self) -> Limits:
        """The rate limits, with what follows from others."""
        burst = self.rate_burst or self.rate_limit
        namespace = self.namespace_rate_limit or max(1, self.rate_limit // 2)
        return Limits(self.rate_limit, burst, namespace, self.namespace_rate_burst or min(namespace, burst))

    @property
    def rhythm(self) -> Rhythm:
        """The numbers of the rhythm, for `wakequeue.episode`."""
        return Rhythm(
            waking_for=self.waking_for,
            report_every=self.report_every,
            correct_after=self.correct_after,
            awake_concurrency=self.awake_concurrency,
            patience=self.patience,
            unwoken_after=self.unwoken_after,
            original_style=self.report_style == "original",
        )

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [(name, shown(name, getattr(self, name))) for name in self.__struct_fields__]

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

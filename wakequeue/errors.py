"""Every error of wakequeue, sorted by what its catcher does next."""


class WakeQueueError(Exception):
    """The root: nothing raises it itself."""


class SettingsError(WakeQueueError):
    """Refuse to start: a setting is unknown, malformed or contradicts another."""


class CannotStart(WakeQueueError):  # noqa: N818  it names what happened
    """Refuse to start: something outside the settings is in the way, such as a port in use."""


class NoFigure(WakeQueueError):  # noqa: N818  as above
    """Print no figure: what was to be measured has failed."""


class Unresolved(WakeQueueError):  # noqa: N818
    """Answer the peer, record nothing, count the reason: the call names no Revision."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class Retryable(WakeQueueError):  # noqa: N818
    """Release, and come back later."""


class AutoscalerUnavailable(Retryable):
    """No pong came: the frame may or may not have arrived."""


class LedgerUnavailable(Retryable):
    """Redis did not answer, or refused the write."""


class LedgerFull(LedgerUnavailable):
    """It holds as much of this kind as it may."""


class LeftToOthers(WakeQueueError):  # noqa: N818
    """Put the doorbell back into the queue: another worker can deliver what this one can't."""


class Permanent(WakeQueueError):  # noqa: N818
    """Bury with the reason: another attempt would end the same way."""

    reason = "permanent"


class Unencodable(Permanent):
    """The report does not fit the frame format of the Autoscaler's release."""

    reason = "unencodable"


class Expired(Permanent):
    """The last call is older than `max_age`: whoever made it has gone."""

    reason = "expired"

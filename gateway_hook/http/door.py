"""The door of `/wake`: lets in who shows the gRPC port's token, or, where none is set, who is on this machine."""

from gateway_hook.admission import Refusal, refused_token, tokens_shown
from gateway_hook.door import tokens
from gateway_hook.http.answers import NO_CERTIFICATE, NOT_OPEN, Answer, to_refused
from gateway_hook.http.request import Headers
from wakequeue.events import Bounded, Event
from wakequeue.setting_types import is_loopback
from wakequeue.settings import Settings
from wakequeue.telemetry import REFUSED


class WakeDoor:
    """Who may wake without a gateway. Raises SettingsError where the file of tokens can't be used."""

    def __init__(self, settings: Settings) -> None:
        self._tokens, self._header = tokens(settings), settings.grpc_token_header
        self._knows_clients = bool(settings.grpc_client_ca_file)
        self._on_loopback = is_loopback(settings.http_address.host)
        self._refused = Bounded(Event.REFUSED)

    def refuses(self, headers: Headers, caller: str) -> Answer | None:
        """The answer to one who may not come in; None for any other."""
        self._tokens.renew()
        if not self._tokens.value:
            return self._without_token(caller)
        refusal = refused_token(tokens_shown(headers.items(), self._header), self._tokens.value)
        return None if refusal is None else self._refuse(refusal, to_refused(refusal), caller)

    def _without_token(self, caller: str) -> Answer | None:
        if self._knows_clients:
            return self._refuse(Refusal.CLIENT_NOT_ALLOWED, NO_CERTIFICATE, caller)
        return None if self._on_loopback else self._refuse(Refusal.NO_TOKEN, NOT_OPEN, caller)

    def _refuse(self, refusal: Refusal, answer: Answer, caller: str) -> Answer:
        REFUSED.labels(refusal).inc()
        self._refused.warning(reason=refusal, peer=caller)
        return answer

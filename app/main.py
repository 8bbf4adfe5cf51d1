"""The one place that wires everything: `create_app(settings)`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import structlog
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from app import __version__
from app.core import operations
from app.core.access import AccessChanges
from app.core.bus import Bus, InProcessBus
from app.core.clock import Clock, SystemClock
from app.core.config import Settings
from app.core.console import FOLDER as CONSOLE
from app.core.console import serve_console
from app.core.db import Database, prepare
from app.core.errors import install_error_handlers
from app.core.limits import ConnectionLimits
from app.core.metrics import Metrics
from app.core.middleware import BodyLimit, ResponseHeaders
from app.core.openapi import PAGE, DescribedAPI
from app.core.operations import ReadinessChecks
from app.core.security import Authenticator, TokenSigner, secret_key
from app.core.services import Services
from app.core.tasks import keep_running, measure_loop_lag
from app.modules.alerts.description import STREAM_MESSAGES
from app.modules.alerts.escalation import EscalationWorker
from app.modules.alerts.manager import AlertConnectionManager
from app.modules.alerts.repository import StoredLog
from app.modules.alerts.router import router as alerts_router
from app.modules.alerts.rules.active import ActiveRules
from app.modules.alerts.rules.router import router as rules_router
from app.modules.alerts.service import AlertService
from app.modules.alerts.streams import StreamOpener
from app.modules.alerts.surveillance import Surveillance
from app.modules.alerts.tail import LogTail
from app.modules.auth.router import router as auth_router
from app.modules.auth.service import AuthService
from app.modules.care_team.router import router as care_team_router
from app.modules.care_team.service import CareTeamService
from app.modules.devices.conditions import Conditions
from app.modules.devices.register import PresenceRegister
from app.modules.devices.sensors import Sensors
from app.modules.devices.service import DeviceService
from app.modules.devices.silence import SilenceWatch
from app.modules.limits.access import LimitsAccess
from app.modules.limits.advisor import LimitAdvisor
from app.modules.limits.feed import LimitFeed
from app.modules.limits.router import router as limits_router
from app.modules.limits.schemas import SignRange
from app.modules.limits.service import LimitsService
from app.modules.patients.router import router as patients_router
from app.modules.patients.service import PatientService
from app.modules.strips.recorder import Recorder
from app.modules.strips.router import router as strips_router
from app.modules.strips.service import StripService
from app.modules.system.router import router as system_router
from app.modules.system.service import SystemService
from app.modules.users.router import router as users_router
from app.modules.users.service import UserService
from app.modules.vitals.access import VitalsAccess
from app.modules.vitals.ecg.monitor import EcgMonitor, is_installed
from app.modules.vitals.intake import Intake
from app.modules.vitals.manager import VitalsViewers
from app.modules.vitals.retention import Retention
from app.modules.vitals.rights import SocketRights
from app.modules.vitals.router import router as vitals_router
from app.modules.vitals.series import SeriesService
from app.modules.vitals.service import VitalsService
from app.modules.vitals.signs import NUMERICS
from app.modules.vitals.writer import ReadingWriter

_log = structlog.get_logger(__name__)

_DESCRIPTION = """
Vital signs come in over WebSocket, rules decide when a person needs help, and the alert reaches the
right people over server-sent events. What nobody acknowledges escalates.

Sign in with `POST /api/v1/login/access-token` and send the token as `Authorization: Bearer`; browsers
use `POST /api/v1/login/cookie`. Every error is `application/problem+json` (RFC 9457) with a stable `code`.
The code of a 401 says what to do: `token_expired` asks for a refresh, `not_signed_in`, `session_ended`
and `account_disabled` for a new sign-in.

Three WebSockets are not described below: `/api/v1/vitals/ws/mobile` takes vital signs,
`/api/v1/vitals/ws/frontend` shows them, and `/api/v1/alerts/ws` is the legacy channel of alerts. They take
the token as the subprotocol pair `bearer, <token>`, as a cookie from an allowed origin, or as `?token=`.
"""


def wire(settings: Settings, *, clock: Clock | None = None) -> Services:
    """Every service of an application, built but not started; nothing is read or written yet.

    Raises:
        RulesFileError: the rules cannot be used.
    """
    services = Services()
    clock = services.add(Clock, clock or SystemClock())
    services.add(Settings, settings)
    metrics = services.add(Metrics, Metrics())
    rules = services.add(ActiveRules, ActiveRules(settings.rules_file, NUMERICS, clock, metrics))
    bus: Bus = InProcessBus()
    services.add(Bus, bus)
    db = services.add(Database, Database(settings.sqlalchemy_url))
    access = services.add(AccessChanges, AccessChanges(db, bus, poll_seconds=settings.log_poll_seconds))

    users = services.add(UserService, UserService(db, access, clock))
    patients = services.add(PatientService, PatientService(db, access, users, clock))
    care_team = services.add(CareTeamService, CareTeamService(db, access, patients, users, clock))
    signer = TokenSigner(secret_key(settings))
    auth = services.add(AuthService, AuthService(db, access, users, patients, signer, settings, clock, metrics))
    authenticator: Authenticator = auth
    services.add(Authenticator, authenticator)

    log = StoredLog(db)
    tail = services.add(LogTail, LogTail(log, bus, poll_seconds=settings.log_poll_seconds))
    alerts = services.add(
        AlertService,
        AlertService(db, tail.take_written, clock, metrics, rules, care_team),
    )
    manager = services.add(
        AlertConnectionManager,
        AlertConnectionManager(
            log,
            clock,
            metrics,
            keepalive_seconds=settings.keepalive_seconds,
            slow_consumer_seconds=settings.slow_consumer_seconds,
            queue_limit=settings.subscriber_queue,
            recent_bytes=settings.recent_log_bytes,
        ),
    )
    limits = services.add(
        ConnectionLimits,
        ConnectionLimits(
            metrics,
            connections=settings.max_connections,
            new_per_second=settings.max_new_connections_per_second,
            streams_per_user=settings.max_streams_per_user,
        ),
    )
    services.add(StreamOpener, StreamOpener(manager, access, auth, limits, retry_ms=settings.retry_ms))
    services.add(EscalationWorker, EscalationWorker(alerts, clock))
    limit_feed = services.add(LimitFeed, LimitFeed(db, bus, patients, poll_seconds=settings.log_poll_seconds))
    ranges = {name: SignRange(sign.unit, sign.lowest, sign.highest) for name, sign in NUMERICS.items()}
    alarm_limits = services.add(
        LimitsService, LimitsService(db, limit_feed, patients, lambda: rules.book, ranges, clock, metrics)
    )
    services.add(LimitsAccess, LimitsAccess(care_team, patients))
    patients.on_move(alarm_limits)
    surveillance = services.add(Surveillance, Surveillance(alerts, rules, clock, alarm_limits))
    limit_feed.on_change(surveillance.settings_changed)
    tail.add_follower(manager.publish)
    tail.add_follower(lambda entries, _through: surveillance.follow(entries))

    writer = services.add(ReadingWriter, ReadingWriter(db, metrics))
    viewers = services.add(
        VitalsViewers, VitalsViewers(bus, metrics, slow_consumer_seconds=settings.slow_consumer_seconds)
    )
    services.add(SeriesService, SeriesService(db))
    services.add(Retention, Retention(db, clock, metrics, days=settings.retention_days))
    vitals = services.add(VitalsService, VitalsService(db, writer, surveillance, viewers, clock, metrics))
    services.add(Intake, Intake())
    ecg = services.add(EcgMonitor, EcgMonitor(vitals.take_ecg_rates, viewers.publish, metrics))
    if settings.ecg_heart_rate:
        if is_installed():
            vitals.tell_waveforms(ecg)
        else:
            _log.warning("ecg.not_analysed", advice="install tocsin[ecg]")
    services.add(LimitAdvisor, LimitAdvisor(alarm_limits, vitals, clock))
    services.add(VitalsAccess, VitalsAccess(care_team))
    recorder = services.add(Recorder, Recorder(clock, limit_bytes=settings.strip_memory_bytes))
    strips = services.add(StripService, StripService(db, recorder, alerts, clock, metrics))
    vitals.tell_waveforms(recorder)
    tail.add_follower(lambda entries, _through: strips.follow(entries))
    services.add(SocketRights, SocketRights(access, auth, clock))

    limit_seconds = settings.device_silent_seconds
    register = services.add(PresenceRegister, PresenceRegister(db, limit_seconds=limit_seconds))
    conditions = services.add(Conditions, Conditions(alerts, metrics))
    sensors = services.add(Sensors, Sensors(conditions, clock))
    services.add(DeviceService, DeviceService(register, conditions, sensors, clock, lambda: rules.book.oldest_reading))
    silence = services.add(
        SilenceWatch,
        SilenceWatch(db, alerts, register, care_team, access, clock, metrics, limit_seconds=limit_seconds),
    )
    tail.add_follower(lambda entries, _through: conditions.follow(entries))
    tail.add_follower(lambda entries, _through: sensors.follow(entries))
    vitals.tell_presence(services.get(DeviceService), every_seconds=register.told_every_seconds)
    vitals.tell_leads(sensors)
    ecg.tell(sensors)

    checks = services.add(
        ReadinessChecks,
        ReadinessChecks(
            database=db.ping,
            bus=bus.is_healthy,
            escalation=services.get(EscalationWorker).is_in_order,
            silence=silence.is_in_order,
            streams=lambda: not manager.is_draining,
        ),
    )
    services.add(
        SystemService,
        SystemService(
            version=__version__,
            started_at=clock.now(),
            checks=checks,
            streams=manager.open_counts,
            vitals_viewers=viewers.count,
            device_sockets=vitals.open_sockets,
            escalations=alerts.timers,
            open_alerts=alerts.open_counts,
            devices=silence.counts,
        ),
    )
    return services


def interface() -> DescribedAPI:
    """Every route with its description, and nothing behind them: enough for the document, not for an answer."""
    app = DescribedAPI(
        title="Tocsin",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=_lifespan,
        messages=STREAM_MESSAGES,
    )
    for router in (
        alerts_router,
        rules_router,
        strips_router,
        vitals_router,
        operations.router,
        auth_router,
        users_router,
        patients_router,
        care_team_router,
        limits_router,
        system_router,
    ):
        app.include_router(router)
    return app


def create_app(settings: Settings, *, clock: Clock | None = None, console: Path = CONSOLE) -> FastAPI:
    """The application, ready to be served by any ASGI server.

    Args:
        console: the folder of the built web console; where there is none, `/` leads to the description.
    """
    services = wire(settings, clock=clock)
    app = interface()
    app.state.services = services
    install_error_handlers(app)
    app.add_middleware(BodyLimit, limit_bytes=settings.max_body_bytes)
    app.add_middleware(ResponseHeaders, metrics=services.get(Metrics))
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.allowed_origins,
        allow_credentials=True,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "Last-Event-ID"],
        expose_headers=["Date", "Retry-After"],
    )
    serve_console(app, console, otherwise=PAGE)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the database, start the workers; at the end stop them and give everything back."""
    services: Services = app.state.services
    metrics = services.get(Metrics)
    db = services.get(Database)
    manager = services.get(AlertConnectionManager)
    workers: dict[str, Callable[[], Awaitable[None]]] = {
        "streams": manager.run,
        "loop_lag": partial(measure_loop_lag, metrics, period_seconds=services.get(Settings).loop_lag_period_seconds),
        "log_tail": services.get(LogTail).run,
        "access": services.get(AccessChanges).run,
        "limits": services.get(LimitFeed).run,
        "escalation": services.get(EscalationWorker).run,
        "surveillance": services.get(Surveillance).run,
        "ecg": services.get(EcgMonitor).run,
        "readings": services.get(ReadingWriter).run,
        "taking_up": services.get(VitalsService).take_up_recent,
        "retention": services.get(Retention).run,
        "strips": services.get(StripService).run,
        "presence": services.get(PresenceRegister).run,
        "silence": services.get(SilenceWatch).run,
        "conditions": services.get(Conditions).run,
        "sensors": services.get(Sensors).run,
    }
    try:
        await prepare(db)
        await services.get(AccessChanges).start()
        await services.get(LimitFeed).start()
        await manager.start()
        await services.get(LogTail).start()
        async with anyio.create_task_group() as tasks:
            for name, work in workers.items():
                tasks.start_soon(keep_running, name, work, metrics)
            yield
            manager.close_all()
            tasks.cancel_scope.cancel()
    finally:
        await db.close()

"""The first room: HTTP. `create_app` joins the rooms and hands Chalice its routes."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from chalice.app import Rate

from chalicelib import logs
from chalicelib.bedrock.invoke import Invoker
from chalicelib.bedrock.profiles import FoundationModels
from chalicelib.bedrock.sessions import Sessions
from chalicelib.bedrock.wire import Wire
from chalicelib.builtin import BuiltInModel
from chalicelib.onboarding.life import Life
from chalicelib.onboarding.limits import Limits, TokenLimit
from chalicelib.onboarding.registry import Registry
from chalicelib.onboarding.reverification import Reverification
from chalicelib.onboarding.served import ServedConnections
from chalicelib.onboarding.table import Table
from chalicelib.onboarding.turnstile import Turnstile
from chalicelib.onboarding.verifier import Verifier
from chalicelib.routes import docs, service, wizard
from chalicelib.routes.accounts import Accounts
from chalicelib.routes.auth import Authenticator
from chalicelib.routes.boundary import Boundary
from chalicelib.routes.chat import Chat
from chalicelib.routes.claude_models import ClaudeModels
from chalicelib.routes.completions import CompletionRoutes
from chalicelib.routes.credential import OwnKeys
from chalicelib.routes.embeddings import EmbeddingsRoutes
from chalicelib.routes.entrance import Entrance
from chalicelib.routes.inference import ChatRoutes
from chalicelib.routes.key_checks import KeyRoutes
from chalicelib.routes.listing import ModelRoutes
from chalicelib.routes.messages import MessagesRoutes
from chalicelib.routes.models import ConnectionModels
from chalicelib.routes.onboarding import OnboardingRoutes
from chalicelib.routes.rate_limit import RateLimit
from chalicelib.routes.rejections import RejectedKeys

if TYPE_CHECKING:
    from chalice.app import Chalice

    from chalicelib.onboarding.connection import Connection
    from chalicelib.services import Services


def create_app(services: Services) -> Chalice:
    """Return the app, ready for API Gateway's events. It makes no call and no client before the first request."""
    settings = services.settings
    logs.configure(settings.log_level)
    app = Entrance(on_lambda=settings.on_lambda)
    authenticator = Authenticator(settings.tokens, clock=services.clock)
    table = Table(lambda: services.dynamodb, settings.table_name)
    limits = Limits(table, services.clock)
    rejections = RejectedKeys(limits, services.clock)
    rate_limit = RateLimit(limits, services.clock, settings.model_requests_per_minute)
    boundary = Boundary(app, authenticator, settings.allowed_origin, rate_limit.admit, rejections.count)

    registry = Registry(table, clock=services.clock, random_bytes=services.random_bytes)
    sessions = Sessions(services.sts_clients, services.clock)
    served = ServedConnections(registry, services.clock, settings.connection_cache_seconds)
    wire = Wire(endpoint=settings.aws_endpoint, fips=settings.use_fips, proxy=settings.proxy_url)

    def forget(changed: Connection) -> None:
        served.forget(changed.tenant)
        sessions.forget(str(changed.id))

    registry.on_change(forget)
    service.register(boundary, settings)
    wizard.register(boundary, settings)
    docs.register(boundary)
    turnstile = Turnstile(table, clock=services.clock, random_bytes=services.random_bytes)
    verifier = Verifier(services, registry, turnstile, sessions, wire)
    OnboardingRoutes(services, registry, verifier, Life(services, registry, turnstile), limits).register(boundary)
    _schedule(app, Reverification(registry, verifier))
    own_keys = OwnKeys(settings, wire, rejections)
    KeyRoutes(own_keys, limits).register(boundary)
    foundation_models = FoundationModels(wire)
    models = ConnectionModels(wire, sessions, foundation_models)
    chat = Chat(sessions, wire, models, services.clock, settings)
    accounts, invoker = Accounts(served, sessions, models, foundation_models, own_keys), Invoker(wire)
    claude_models = ClaudeModels(accounts, own_keys)
    ModelRoutes(served, sessions, wire, models, own_keys, claude_models, boundary.admit).register(boundary)
    ChatRoutes(settings, served, models, chat, own_keys).register(boundary)
    MessagesRoutes(settings, accounts, invoker, own_keys).register(boundary)
    EmbeddingsRoutes(accounts, invoker, own_keys).register(boundary)
    CompletionRoutes(_built_in(services, table, wire), services.clock, settings).register(boundary)
    return app


def _built_in(services: Services, table: Table, wire: Wire) -> tuple[BuiltInModel, TokenLimit] | None:
    """Return the operator's model and what a tenant may use of it; None where either is not set."""
    settings = services.settings
    if settings.built_in_model is None or settings.completions_daily_tokens is None:
        return None
    model = BuiltInModel(wire, services.own_credentials, settings.region, settings.built_in_model)
    return model, TokenLimit(table, services.clock, model.model, settings.completions_daily_tokens)


def _schedule(app: Chalice, reverification: Reverification) -> None:
    """Add the function `reverify`, which EventBridge wakes. Lambda loads it by this name from app.py."""

    def reverify(_: object, context: Any) -> dict[str, int]:
        logs.begin(context)
        return asdict(reverification.run(lambda: context.get_remaining_time_in_millis() / 1000))

    app.schedule(Rate(10, unit=Rate.MINUTES), name="reverify")(reverify)
    # Chalice's own handler would read fields of a schedule's tick that nothing here needs, and refuse any other event.
    app.handler_map["reverify"] = reverify

"""The webhooks of the configuration, as the web part takes them."""

from urllib.parse import urlsplit

from weighbridge.bootstrap.registries.sites import scope_of
from weighbridge.bootstrap.registries.targets import Target
from weighbridge.config import RegistrySettings, Settings
from weighbridge.config.webhook_settings import WebhookSettings
from weighbridge.domain.webhook.push import PushSeen
from weighbridge.ports.protocols import JobQueue
from weighbridge.web.webhooks.hooks import Hook, Reception


def reception_of(settings: Settings, jobs: JobQueue | None) -> Reception:
    """Every webhook whose registry is configured.

    jobs: who is asked to look at what was pushed
    """
    pairs = ((w, settings.find_registry(w.registry)) for w in settings.webhooks)
    hooks = [_hook(webhook, registry) for webhook, registry in pairs if registry]
    return Reception(hooks, jobs)


def sources_of(settings: Settings) -> frozenset[str]:
    """Those of which there is such a webhook."""
    return frozenset(
        w.source for w in settings.webhooks if w.registry in settings.names
    )


def _hook(webhook: WebhookSettings, registry: RegistrySettings) -> Hook:
    scope = scope_of(Target(registry.name, registry.url, registry))

    def is_ours(push: PushSeen) -> bool:
        is_wanted = push.tag is None or scope.wants_tag(push.tag)
        return is_wanted and scope.looks_at(push.repository)

    return Hook(
        source=webhook.source,
        registry=registry.name,
        host=urlsplit(registry.url).netloc,
        secrets=webhook.current_secrets,
        files=webhook.files,
        is_ours=is_ours,
    )

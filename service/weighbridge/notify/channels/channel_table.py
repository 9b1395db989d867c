"""All kinds of channels: a new one is a folder beside this, and a line here."""

from collections.abc import Mapping
from typing import Final

from weighbridge.notify.channel_kind import ChannelKind
from weighbridge.notify.channels.alertmanager.alertmanager_channel import ALERTMANAGER
from weighbridge.notify.channels.apprise.apprise_channel import APPRISE
from weighbridge.notify.channels.email.email_channel import EMAIL
from weighbridge.notify.channels.slack.slack_channel import SLACK
from weighbridge.notify.channels.teams.teams_channel import TEAMS
from weighbridge.notify.channels.webhook.webhook_channel import WEBHOOK

CHANNEL_KINDS: Final[Mapping[str, ChannelKind]] = {
    "webhook": WEBHOOK,
    "slack": SLACK,
    "teams": TEAMS,
    "email": EMAIL,
    "alertmanager": ALERTMANAGER,
    "apprise": APPRISE,
}
"""Each by its name in the configuration, as they are named to people."""

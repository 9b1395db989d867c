"""GitLab: its registry is a distribution, and sends what that sends."""

from typing import Final

from weighbridge.domain.webhook.sources import distribution
from weighbridge.domain.webhook.webhook_source import WebhookSource

_RECIPE: Final = """\
# /etc/gitlab/gitlab.rb, then: gitlab-ctl reconfigure
# (before GitLab 17.0: 'threshold' => 5 in place of maxretries)
registry['notifications'] = [
  {{
    'name' => 'weighbridge',
    'url' => '{url}',
    'timeout' => '5s',
    'maxretries' => 10,
    'backoff' => '1s',
    'headers' => {{ 'Authorization' => ['Bearer {secret}'] }}
  }}
]
"""


GITLAB: Final = WebhookSource(read=distribution.read, recipe=_RECIPE)

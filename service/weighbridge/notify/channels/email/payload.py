"""A message as an e-mail: plain text, and the same as HTML."""

import hashlib
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from html import escape
from typing import Final

from weighbridge.domain.message.message import Message
from weighbridge.domain.text.printable import printable
from weighbridge.notify.render.content import (
    MessageContent,
    MessageItem,
    and_more,
    content_of,
)
from weighbridge.notify.render.fitting import fitting
from weighbridge.notify.render.image_facts import Fact
from weighbridge.notify.render.plain import plain_text

SUBJECT_CHARACTERS: Final = 200
HTML_CHARACTERS: Final = 60_000
ITEMS: Final = 50
_COLOURS: Final = {"critical": "#b3261e", "warning": "#8a5a00", "info": "#1f5fa8"}
_GOOD: Final = "#2e6b30"
_FONT: Final = "font-family:system-ui,'Segoe UI',Helvetica,Arial,sans-serif"
_CODE: Final = (
    "font-family:ui-monospace,Menlo,Consolas,monospace;overflow-wrap:anywhere"
)

_TERM: Final = (
    "text-align:left;vertical-align:top;font-weight:400;color:#666;"
    "padding:1px 12px 1px 0"
)


def mail_of(message: Message, sender: str, recipients: tuple[str, ...]) -> EmailMessage:
    """The e-mail. The same message has the same Message-ID whenever it is sent, by
    which mail servers and readers know a second copy.

    sender, recipients: checked addresses, with or without a name
    """
    content = content_of(message)
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = printable(content.headline, SUBJECT_CHARACTERS)
    mail["From"] = _address(sender)
    mail["To"] = [_address(recipient) for recipient in recipients]
    mail["Date"] = format_datetime(message.sent_at)
    mail["Message-ID"] = _message_id(message.key, domain_of(sender))
    # RFC 3834: no out-of-office note is an answer to this.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(plain_text(content))
    mail.add_alternative(html_of(content), subtype="html")
    return mail


def domain_of(address: str) -> str:
    """What stands behind the @."""
    return parseaddr(address)[1].rpartition("@")[2]


def html_of(content: MessageContent) -> str:
    """A whole document without anything that a mail reader has to fetch."""
    articles = [_article(item) for item in content.items]
    shown, hidden = fitting(articles, HTML_CHARACTERS, ITEMS, len)
    hidden += content.more
    note = f'<p style="color:#555">{escape(content.note)}</p>' if content.note else ""
    more = f'<p style="color:#555">{and_more(hidden)}</p>' if hidden else ""
    headline = escape(content.headline)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{headline}</title></head>\n"
        f'<body style="{_FONT};font-size:14px;color:#1c1c1c;max-width:720px">\n'
        f'<h1 style="font-size:17px;overflow-wrap:anywhere">{headline}</h1>\n'
        f"{note}{''.join(shown)}{more}"
        '<p style="color:#777;font-size:12px">Sent by Weighbridge.</p>\n'
        "</body></html>\n"
    )


def _article(item: MessageItem) -> str:
    colour = _GOOD if item.is_resolved else _COLOURS[item.severity]
    facts = [*([item.cause] if item.cause else []), *item.facts]
    name = escape(item.name)
    if item.url:
        name = f'<a href="{escape(item.url)}" style="color:{colour}">{name}</a>'
    return (
        f'<div style="border-left:4px solid {colour};padding:2px 0 2px 12px;'
        'margin:0 0 20px">\n'
        f'<p style="margin:0;font-weight:600;overflow-wrap:anywhere">{name}</p>\n'
        f'<p style="margin:2px 0 8px">{escape(item.verdict)}</p>\n'
        f'<table style="border-collapse:collapse;font-size:13px">{_rows(facts)}'
        "</table>\n</div>\n"
    )


def _rows(facts: list[Fact]) -> str:
    return "".join(
        f'<tr><th style="{_TERM}">{escape(fact.name)}</th>'
        f'<td style="padding:1px 0;{_CODE if fact.is_code else ""}">'
        f"{escape(fact.value)}</td></tr>\n"
        for fact in facts
    )


def _address(text: str) -> Address:
    name, address = parseaddr(text)
    return Address(display_name=name, addr_spec=address)


def _message_id(key: str, domain: str) -> str:
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"<{digest[:40]}@{domain}>"

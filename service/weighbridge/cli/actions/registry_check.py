"""What `weighbridge registry check` prints."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from weighbridge.bootstrap.one_image.registry_check import CheckStep, RegistryCheck
from weighbridge.cli.process.failure import advice
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_bytes, format_duration
from weighbridge.ports.protocols import ProjectQuota, ShownRights
from weighbridge.presentation.forms.csv_json_markdown import json_text
from weighbridge.presentation.forms.phrases import minute, plural
from weighbridge.presentation.forms.screen import Output, Screen
from weighbridge.presentation.forms.table import Column, Table


def printed(done: Sequence[RegistryCheck], output: Output, screen: Screen) -> str:
    """A row a step; in JSON everything. Of several a list, or a column of names."""
    if output == "json":
        objects = [_as_json(each) for each in done]
        return json_text(objects[0] if len(objects) == 1 else objects)
    if output == "table":
        return "\n\n".join(_text(each, screen) for each in done)
    if len(done) == 1:
        return _STEPS.printed(done[0].steps, output, screen)
    rows = [_StepOf(each.name, step) for each in done for step in each.steps]
    return _STEPS_OF_MANY.printed(rows, output, screen)


def _text(done: RegistryCheck, screen: Screen) -> str:
    head = printable(f"{done.name}  {done.url}  {done.kind}: {done.sign}")
    table = _STEPS.text(done.steps, screen, _foot(done))
    head = screen.wrapped(head)
    if done.signs_in_with:
        who = printable(f"signs in with: {done.signs_in_with}")
        head += f"\n{screen.wrapped(who)}"
    return f"{head}\n\n{table}"


def warnings_of(done: RegistryCheck) -> list[str]:
    """What was odd but stopped nothing, one sentence each."""
    return [printable(f"{done.name}: {warning}") for warning in done.warnings]


def hints(done: RegistryCheck) -> list[str]:
    """What may help, a line for each step that has failed."""
    return [
        printable(f"{step.name}: {line}")
        for step in done.steps
        if step.error is not None
        for line in (step.error.hint or advice(step.error.code)).splitlines()
    ]


def _foot(done: RegistryCheck) -> list[str]:
    by_operation = sorted(done.requests.items())
    counted = ", ".join(f"{name} {count:,}" for name, count in by_operation)
    lines = [
        f"{plural(sum(done.requests.values()), 'request')} ({counted or 'none'}),"
        f" {format_bytes(done.bytes_read)}, {format_duration(done.seconds)}",
        _quota(done),
    ]
    if (rights := done.rights) is not None:
        lines += [
            f"rights {words.replace('_', ' ')}: {', '.join(names)}"
            for words, names in _by_answer(rights).items()
            if names
        ]
    if quotas := done.project_quotas:
        lines += [_project(quota) for quota in _fullest(quotas)]
        if len(quotas) > _SHOWN:
            lines.append(f"and {len(quotas) - _SHOWN:,} more; -o json has all of them")
    if done.certified_until is not None:
        lines.append(f"its certificate ends at {minute(done.certified_until)} UTC")
    return lines


_SHOWN: Final = 10


def _fullest(quotas: Sequence[ProjectQuota]) -> list[ProjectQuota]:
    """The first ones by the share of the limit that is used, then by bytes."""

    def share(quota: ProjectQuota) -> float:
        limit = quota.limit_bytes
        return 0.0 if limit is None else quota.used_bytes / max(limit, 1)

    return sorted(quotas, key=lambda q: (-share(q), -q.used_bytes, q.project))[:_SHOWN]


def _project(quota: ProjectQuota) -> str:
    limit = quota.limit_bytes
    of = "without a limit" if limit is None else f"of {format_bytes(limit)}"
    return f"project {quota.project}: {format_bytes(quota.used_bytes)} stored, {of}"


def _by_answer(rights: ShownRights) -> Mapping[str, list[str]]:
    """One that was refused once is not fine, whatever was allowed besides."""
    known = rights.used | rights.refused
    return {
        "used": sorted(rights.used - rights.refused),
        "refused": sorted(rights.refused),
        "not_tried": sorted(set(rights.needed) - known),
    }


def _quota(done: RegistryCheck) -> str:
    told = done.rate_limit
    if told is None:
        return "it names no limit on requests"
    left = "" if told.remaining is None else f"{told.remaining:,} left of "
    window = ""
    if told.window_s:
        window = f" in {format_duration(told.window_s)}"
    return f"its limit: {left}{told.limit:,}{window}"


def _result(step: CheckStep) -> str:
    if step.error is not None:
        return "failed"
    return "not tried" if step.is_left_out else "fine"


def _seen(step: CheckStep) -> str:
    if step.error is None:
        return step.seen
    return f"{step.error.message} [{step.error.code}]"


def _as_object(step: CheckStep) -> Mapping[str, object]:
    error = step.error
    return {
        "step": step.name,
        "result": _result(step),
        "seen": printable(step.seen) or None,
        "code": None if error is None else error.code,
        "message": None if error is None else printable(error.message),
    }


_STEPS: Final[Table[CheckStep]] = Table(
    columns=(
        Column("step", lambda step: step.name, "name"),
        Column("result", _result, rank=None),
        Column("seen", _seen, "line"),
    ),
    keys=("step", "result", "seen", "code", "message"),
    as_object=_as_object,
    has_keys_in_markdown=True,
)


class _StepOf(Struct, frozen=True):
    """A step, and the name of its registry."""

    registry: str
    step: CheckStep


_STEPS_OF_MANY: Final[Table[_StepOf]] = Table(
    columns=(Column("registry", lambda row: row.registry, "name"),),
    keys=("registry", *_STEPS.keys),
    as_object=lambda row: {"registry": row.registry, **_as_object(row.step)},
    has_keys_in_markdown=True,
)


def _as_json(done: RegistryCheck) -> Mapping[str, object]:
    found, limit, until = done.found, done.rate_limit, done.certified_until
    return {
        "registry": done.name,
        "url": done.url,
        "kind": done.kind,
        "kind_sign": printable(done.sign),
        "kind_shown": None if found is None else found.shown,
        "kind_advice": printable(found.advice) if found and found.advice else None,
        "signs_in_with": printable(done.signs_in_with) or None,
        "steps": _STEPS.objects(done.steps),
        "requests": dict(done.requests),
        "bytes_read": done.bytes_read,
        "rate_limit": None if limit is None else limit.limit,
        "rate_limit_remaining": None if limit is None else limit.remaining,
        "rate_limit_window_s": None if limit is None else limit.window_s,
        "certified_until": None if until is None else f"{until:%Y-%m-%dT%H:%M:%SZ}",
        "rights": None if done.rights is None else _by_answer(done.rights),
        "project_quotas": None
        if done.project_quotas is None
        else [
            {
                "project": quota.project,
                "used_bytes": quota.used_bytes,
                "limit_bytes": quota.limit_bytes,
            }
            for quota in done.project_quotas
        ],
        "seconds": round(done.seconds, 3),
    }

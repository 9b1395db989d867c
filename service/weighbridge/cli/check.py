"""`weighbridge check REF`: hold one image against its limits, as a gate in CI."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from msgspec import Struct

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.options.parameters import (
    TIMEOUT,
    TIMEOUT_HELP,
    limit_options,
    own_limits,
)
from weighbridge.cli.process.failure import FOUND, NOT_WEIGHED, CommandFailed, advice
from weighbridge.errors import ConfigError, UsageError, WeighbridgeError

if TYPE_CHECKING:
    from weighbridge.bootstrap.one_image.service_limits import Service
    from weighbridge.domain.policy.policy import PolicySet

_EXAMPLES = """\b
Examples:
  weighbridge check ghcr.io/acme/app:1.4 --max-compressed 500MB
  weighbridge check ghcr.io/acme/app:pr-7 --against :main --max-growth 10%
  weighbridge check ghcr.io/acme/app:1.4 --policy limits.yaml -o github
  weighbridge check ghcr.io/acme/app:1.4 --server https://weighbridge.example
"""
_TOKEN: Final = "WEIGHBRIDGE_TOKEN"  # noqa: S105 - the name of a variable
_EXIT_CODES: Final = {"pass": 0, "warn": 0, "unknown": NOT_WEIGHED, "fail": FOUND}


@click.command(epilog=_EXAMPLES)
@click.argument("reference", metavar="REF")
@limit_options(growth="Of compressed bytes: 10%.")
@click.option(
    "--against", metavar="REF", help="Growth since this image; :TAG of the same one."
)
@click.option("--platform", metavar="OS/ARCH", help="This platform only.")
@click.option(
    "--allow-unknown",
    is_flag=True,
    help="A size that is not known, or only claimed, is a warning.",
)
@click.option(
    "--allow-foreign",
    is_flag=True,
    help="Believe the manifest's size of foreign layers that the registry lacks.",
)
@click.option("--timeout", "timeout_s", type=TIMEOUT, default="5m", help=TIMEOUT_HELP)
@click.option(
    "--policy",
    "policy_files",
    multiple=True,
    metavar="FILE",
    help="Policies, in place of the configuration's.",
)
@click.option(
    "--server", metavar="URL", help="Policies, waivers, baselines of this Weighbridge."
)
@click.option(
    "--token-file", metavar="FILE", help=f"Its token; else the variable {_TOKEN}."
)
@click.option(
    "--server-ca", metavar="FILE", help="Authorities (PEM) of its certificate."
)
@click.option(
    "--report",
    "reports",
    multiple=True,
    metavar="FILE",
    help="Write it there too: .json, .csv or .md.",
)
@click.option("--dockerfile", metavar="FILE", help="Annotate its lines (-o github).")
@click.option("--ascii", "wants_ascii", is_flag=True, help="No blocks, no signs.")
@common_options(results=True, github=True, access=True)
def command(
    options: Options,
    /,
    reference: str,
    against: str | None,
    platform: str | None,
    allow_unknown: bool,
    allow_foreign: bool,
    timeout_s: int,
    policy_files: Sequence[str],
    server: str | None,
    token_file: str | None,
    server_ca: str | None,
    reports: Sequence[str],
    dockerfile: str | None,
    wants_ascii: bool,
    **limits: float | tuple[str, ...] | None,
) -> int:
    """Compare one image with its limits.

    Limits are options, or those of policies: of --policy, of --server, else of the
    configuration. An option overrides a policy. Every platform is checked.

    Exits with 0 if all limits are kept, 1 if one is exceeded, 2 if nothing could be
    checked as it was asked, 3 if something could not be weighed.
    """
    access = options.access.read()
    is_plain = options.access.plain_http is True
    source = _Source(
        policy_files, server, token_file, server_ca, is_plain, options.database
    )

    from weighbridge.bootstrap.one_image.image_check import (
        CheckRequest,
        NotWeighed,
        check,
    )
    from weighbridge.cli.actions.check_forms import Forms
    from weighbridge.domain.image.reference import without_login

    forms = Forms(
        options.output, options.screen(wants_ascii=wants_ascii), reports, dockerfile
    )
    try:
        found = check(
            options.settings(ending=", nothing was checked"),
            CheckRequest(
                reference=reference,
                own=own_limits(limits),
                against=against,
                platform=platform,
                policies=source.policies(options),
                service=source.service(),
                must_read_database=options.database is not None,
                allow_unknown=allow_unknown,
                allow_foreign=allow_foreign,
                timeout_s=timeout_s,
                access=access,
                docker_config=options.docker_config(),
            ),
        )
    except CommandFailed as exc:
        raise forms.printed(exc) from exc
    except NotWeighed as exc:
        exc.cause.hint = exc.cause.hint or advice(exc.cause.code)
        failed = CommandFailed(exc.cause, subject=f"cannot weigh {exc.text}")
        raise forms.printed(failed) from exc
    except ConfigError as exc:
        raise forms.printed(CommandFailed(exc)) from exc
    except WeighbridgeError as exc:
        failed = CommandFailed(exc, subject=f"cannot check {without_login(reference)}")
        raise forms.printed(failed) from exc
    code = _EXIT_CODES[found.outcome]
    forms.show(found, code, os.environ)
    return code


class _Source(Struct, frozen=True):
    """Where policies come from.

    Raises UsageError for options that say two things at once.
    """

    files: Sequence[str]
    server: str | None
    token_file: str | None
    server_ca: str | None
    plain_http: bool
    database: str | None

    def __post_init__(self) -> None:
        if self.server is not None and self.files:
            raise UsageError("--server and --policy exclude each other")
        if self.server is not None and self.database is not None:
            raise UsageError("--server and --database exclude each other")
        if self.server is None and (self.token_file or self.server_ca):
            raise UsageError("--token-file and --server-ca say something of --server")

    def policies(self, options: Options) -> "PolicySet":
        """Those of files. Without any there are none, and the default policy is none
        either: a gate has no limits that nobody wrote down."""
        from weighbridge.domain.policy.policy import (
            DEFAULT_POLICIES,
            NO_POLICIES,
            PolicySet,
        )

        if self.server is not None:
            return NO_POLICIES
        if self.files:
            from weighbridge.config.policies.policy_files import read_policy_files

            return PolicySet(read_policy_files(self.files))
        source = options.policies()
        is_written = source.file is not None and source.policies != DEFAULT_POLICIES
        return source.policies if is_written else NO_POLICIES

    def service(self) -> "Service | None":
        if self.server is None:
            return None
        from weighbridge.bootstrap.one_image.service_limits import service_at
        from weighbridge.config.file.regular_file import read_secret_file
        from weighbridge.domain.text.printable import Secret

        token = None
        if self.token_file is not None:
            token = read_secret_file(Path(self.token_file))
        elif text := os.environ.get(_TOKEN, "").strip():
            token = Secret(text)
        return service_at(
            self.server, token, self.server_ca, plain_http=self.plain_http
        )

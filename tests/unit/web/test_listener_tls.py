"""A certificate that is replaced while a listener is served: when, and when not."""

import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from support.certificates import Authority, an_authority
from weighbridge.config.value.tls_settings import TLSSettings
from weighbridge.errors import ConfigError
from weighbridge.telemetry import Telemetry
from weighbridge.web.server.tls import ListenerTLS

DAY_S: Final = 24 * 3600


@dataclass
class World:
    """A listener whose files can be changed, and whose clocks can be moved."""

    authority: Authority
    file: Path
    ahead_s: float = 0

    def __post_init__(self) -> None:
        self.telemetry = Telemetry()
        self.put(self.authority.server_file("first.example"))
        self.tls = ListenerTLS(
            "web",
            TLSSettings(cert_file=self.file, key_file=self.file),
            self.telemetry,
            clock=lambda: time.monotonic() + self.ahead_s,
            wall=lambda: time.time() + self.ahead_s,
        )

    def put(self, other: Path) -> None:
        """As a careful program does: the whole file at once."""
        other.replace(self.file)

    def shown(self) -> str:
        """The name in the certificate that a client gets now."""
        return shown_by(self.tls.context, self.authority)

    def looks(self, count: int) -> None:
        for _ in range(count):
            self.tls.poll()

    def sample(self, name: str) -> float | None:
        return self.telemetry.registry.get_sample_value(
            f"weighbridge_tls_{name}", {"listener": "web"}
        )


def shown_by(server: ssl.SSLContext, authority: Authority) -> str:
    """The first name of what a handshake in memory shows."""
    client = ssl.create_default_context(cafile=authority.ca_file)
    client.check_hostname = False
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(to_client, to_server)
    other = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(10):
        for side in (one, other):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    said = one.getpeercert()
    assert said is not None
    first = said["subjectAltName"][0]
    return str(first[1])


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(an_authority(tmp_path), tmp_path / "tls.pem")


def test_a_new_certificate_is_taken_once_two_looks_have_seen_it_alike(
    world: World,
) -> None:
    world.put(world.authority.server_file("second.example"))

    world.looks(1)
    before = world.shown()
    world.looks(1)

    assert (before, world.shown()) == ("first.example", "second.example")
    assert world.sample("reload_failures_total") == 0


def test_whoever_asks_for_it_need_not_wait(world: World) -> None:
    world.put(world.authority.server_file("second.example"))

    world.tls.reload()

    assert world.shown() == "second.example"


def test_a_broken_one_leaves_the_old_in_force_and_is_counted_once(world: World) -> None:
    world.file.write_text("-----BEGIN CERTIFICATE-----\n")

    world.looks(5)

    assert world.shown() == "first.example"
    assert world.sample("reload_failures_total") == 1
    world.put(world.authority.server_file("third.example"))
    world.looks(2)
    assert world.shown() == "third.example"


def test_a_file_that_is_gone_for_a_moment(world: World) -> None:
    world.file.rename(world.file.with_suffix(".old"))
    world.looks(1)
    world.put(world.authority.server_file("second.example"))
    world.looks(2)

    assert world.shown() == "second.example"
    assert world.sample("reload_failures_total") == 0


@pytest.mark.parametrize("kind", ["expired", "later"])
def test_one_that_is_not_valid_now_does_not_replace_one_that_is(
    world: World, kind: str
) -> None:
    world.put(world.authority.server_file("second.example", **{kind: True}))

    world.looks(2)

    assert world.shown() == "first.example"
    assert world.sample("reload_failures_total") == 1


def test_one_that_becomes_valid_is_taken_then_though_no_file_changes(
    world: World,
) -> None:
    world.put(world.authority.server_file("second.example", later=True))
    world.looks(2)
    world.ahead_s = DAY_S + 60

    world.looks(1)

    assert world.sample("reload_failures_total") == 1
    start = world.sample("certificate_start_timestamp_seconds")
    assert start is not None
    assert start > time.time()


def test_what_has_expired_can_be_started_with(tmp_path: Path) -> None:
    authority = an_authority(tmp_path)
    file = authority.server_file("late.example", expired=True)
    telemetry = Telemetry()

    ListenerTLS("web", TLSSettings(cert_file=file, key_file=file), telemetry)

    expires = telemetry.registry.get_sample_value(
        "weighbridge_tls_certificate_expiry_timestamp_seconds", {"listener": "web"}
    )
    assert expires is not None
    assert expires < time.time()


def test_what_is_broken_can_not(tmp_path: Path) -> None:
    file = tmp_path / "tls.pem"
    file.write_text("no certificate")

    with pytest.raises(ConfigError):
        ListenerTLS("web", TLSSettings(cert_file=file, key_file=file), Telemetry())


def test_another_authority_for_clients_replaces_the_old_one(
    world: World, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    other, clients = an_authority(folder), tmp_path / "clients.pem"
    clients.write_bytes(Path(world.authority.ca_file).read_bytes())
    tls = ListenerTLS(
        "web",
        TLSSettings(cert_file=world.file, key_file=world.file, client_ca_file=clients),
        world.telemetry,
    )
    Path(other.ca_file).replace(clients)

    tls.reload()

    # One context that all files were loaded into would still trust both.
    assert tls.context.current.get_ca_certs(binary_form=True) == [
        other.certificate.public_bytes(Encoding.DER)
    ]

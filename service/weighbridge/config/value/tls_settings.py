"""`tls` of a listener: the files of its certificate."""

from pathlib import Path

from weighbridge.config.value.value_types import FilePath, StrictModel


class TLSSettings(StrictModel):
    """Files in PEM. They are read by whoever listens, and by no other command: the key
    is for one user alone.

    cert_file:      the certificate, and those between it and its authority
    key_file:       its private key, without a passphrase; may be the same file
    client_ca_file: who signs clients' certificates; None: clients need none
    """

    cert_file: FilePath
    key_file: FilePath
    client_ca_file: FilePath | None = None

    @property
    def files(self) -> dict[str, Path]:
        """By their keys."""
        named = {"cert_file": self.cert_file, "key_file": self.key_file}
        if self.client_ca_file is not None:
            named["client_ca_file"] = self.client_ca_file
        return named

"""What a kind of registry is, besides its client."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from weighbridge.config import RegistrySettings
from weighbridge.registry.exchange.collector import Collector
from weighbridge.registry.exchange.kind_signs import NO_SIGNS, KindSigns
from weighbridge.registry.login.credentials import NO_OTHER_NAMES, LoginNames

if TYPE_CHECKING:
    from weighbridge.domain.report.inventory import ScopeKind
    from weighbridge.registry.exchange.endpoint import (
        Endpoint,
        KindAccess,
        KindRegistry,
    )


OpenKind: TypeAlias = Callable[["Endpoint", "KindAccess"], "KindRegistry"]


class RegistryKind(Struct, frozen=True):
    """One kind of registry; a line of `kinds/kind_table.py`.

    settings:      the model of its entries in the configuration, with its hosts
    open:          makes its client, which is imported only then
    storage_scope: inside what it keeps a blob once
    collector:     what it does with what is not needed any more
    full_name:     the whole name of a repository that a person has written: as it is,
                   where none has a short one
    login_names:   by which docker knows it
    signs:         by which its answers tell what it is
    """

    settings: type[RegistrySettings]
    open: OpenKind
    storage_scope: "ScopeKind"
    collector: Collector
    full_name: Callable[[str], str] = str
    login_names: LoginNames = NO_OTHER_NAMES
    signs: KindSigns = NO_SIGNS

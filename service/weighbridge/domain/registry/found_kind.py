"""What kind a registry was found to be, where the configuration leaves that to us."""

from msgspec import Struct


class FoundKind(Struct, frozen=True):
    """
    shown:         the kind that its answers show
    sign:          what showed it, for people
    kind:          the one that it is taken for: `shown`, unless its entry lacks what
                   that kind must be told
    storage_scope: inside what it then keeps a blob once
    advice:        what is to be written for it to be taken for `shown`; "" where it is
    is_new:        it was asked just now; else that was stored
    """

    shown: str
    sign: str
    kind: str
    storage_scope: str
    advice: str = ""
    is_new: bool = False

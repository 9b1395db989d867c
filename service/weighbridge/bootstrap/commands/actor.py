"""Who it is that acts on the command line."""

import os
import pwd


def system_user() -> str:
    """The user of the system who asked; environment variables may say anything."""
    number = os.geteuid()
    try:
        return f"cli:{pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"cli:{number}"

"""Write our rules as objects of the Prometheus operator: python3 generate.py [--help].

kustomize cannot put a file into a field of an object, so operator/rules.yaml is made
from the files of deploy/prometheus, comments included.
"""

import argparse
import textwrap
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent
_RULES: Final = ("weighbridge.rules.yml", "weighbridge.alerts.yml")
_OBJECT: Final = """\
# Generated from deploy/prometheus/{file}: change it there, then `make rules`.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: {name}
  labels: {{app.kubernetes.io/name: weighbridge}}
spec:
{rules}"""


def main() -> None:
    """Write one file with an object for each file of rules."""
    parser = argparse.ArgumentParser(description="Write the rules for the operator.")
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        default=_HERE.parent / "prometheus",
        metavar="FOLDER",
        help="where the files of rules are (%(default)s)",
    )
    parser.add_argument(
        "--to",
        type=Path,
        default=_HERE / "operator" / "rules.yaml",
        metavar="FILE",
        help="what is written (%(default)s)",
    )
    options = parser.parse_args()
    objects = [_object(options.source / file) for file in _RULES]
    options.to.write_text("---\n".join(objects), encoding="utf-8")


def _object(file: Path) -> str:
    rules = textwrap.indent(file.read_text(encoding="utf-8"), "  ")
    name = file.stem.replace(".", "-")
    return _OBJECT.format(file=file.name, name=name, rules=rules)


if __name__ == "__main__":
    main()

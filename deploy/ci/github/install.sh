#!/usr/bin/env bash
# Installs Weighbridge into an environment of its own, for the steps that follow.
set -euo pipefail

# PACKAGE  a name or a wheel      VERSION  "" for the newest
environment="$RUNNER_TEMP/weighbridge"
python3 -m venv "$environment"
"$environment/bin/python" -m pip install --quiet --disable-pip-version-check -- \
    "$PACKAGE${VERSION:+==$VERSION}"
echo "$environment/bin" >>"$GITHUB_PATH"

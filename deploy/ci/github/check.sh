#!/usr/bin/env bash
# Runs `weighbridge check` with the inputs of the action, which are variables here.
set -euo pipefail

reports=$(mktemp -d "$RUNNER_TEMP/weighbridge-check.XXXXXX")
report="$reports/check.json"
comment="$reports/check.md"
arguments=(--output=github "--report=$report" "--report=$comment")

# option NAME VALUE: only where there is a value. In one word, so that no value is taken
# for an option.
option() {
    if [ -n "$2" ]; then
        arguments+=("--$1=$2")
    fi
}

option max-compressed "$MAX_COMPRESSED"
option max-uncompressed "$MAX_UNCOMPRESSED"
option max-growth "$MAX_GROWTH"
option min-growth "$MIN_GROWTH"
option max-layers "$MAX_LAYERS"
option max-layer-compressed "$MAX_LAYER_COMPRESSED"
option max-base-age "$MAX_BASE_AGE"
option against "$AGAINST"
option platform "$PLATFORM"
option timeout "$TIMEOUT"
option config "$CONFIG"
option server "$SERVER"
option dockerfile "$DOCKERFILE"
while IFS= read -r file; do
    option policy "$file"
done <<<"$POLICY"
if [ "$ALLOW_UNKNOWN" = true ]; then
    arguments+=(--allow-unknown)
fi
if [ "$ALLOW_FOREIGN" = true ]; then
    arguments+=(--allow-foreign)
fi

code=0
weighbridge check "${arguments[@]}" -- "$IMAGE" || code=$?

# The report is written before anything is shown: without one nothing was checked.
outcome=error
if [ -s "$report" ]; then
    outcome=$(python3 -c 'import json, sys
print(json.load(open(sys.argv[1], encoding="utf-8"))["outcome"])' "$report")
fi
{
    echo "outcome=$outcome"
    echo "exit-code=$code"
    echo "report=$report"
    echo "comment=$comment"
} >>"$GITHUB_OUTPUT"
exit "$code"

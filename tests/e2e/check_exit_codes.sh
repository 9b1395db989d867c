#!/bin/sh
# Shows what `weighbridge check` exits with, in front of real registries.
#
#   check_exit_codes.sh images    makes images with umoci and buildah, pushes them
#   check_exit_codes.sh few       checks them: a case or two for each exit code
#   check_exit_codes.sh exits     checks them: every case
#   check_exit_codes.sh waived    the same where shop/app is waived in SERVER
#
# Ends with 1 if any exit code is wrong.
#
# WEIGHBRIDGE  the command
# REGISTRY     host:port of an empty registry, which takes pushes
# DEMO         host:port of the demo registry
# SILENT       host:port of a server that never answers
# SERVER       URL of a Weighbridge that crawled REGISTRY after `images`
# TOKEN_FILE   of that Weighbridge
# FOLDER       for whatever is made on the way
set -eu

checked=0
wrong=0

# expect CODE TEXT ARGUMENTS...: `weighbridge check ARGUMENTS` exits with CODE and says
# TEXT somewhere.
expect() {
    code=$1 text=$2
    shift 2
    checked=$((checked + 1))
    said=0
    # shellcheck disable=SC2086 # the command may be several words
    $WEIGHBRIDGE check "$@" >"$FOLDER/said" 2>&1 || said=$?
    if [ "$said" -ne "$code" ] || ! grep -qF -e "$text" "$FOLDER/said"; then
        wrong=$((wrong + 1))
        echo "WRONG: exited with $said, not $code, or did not say: $text"
        echo "       weighbridge check $*"
        sed 's/^/       | /' "$FOLDER/said"
    else
        echo "ok $code  weighbridge check $*"
    fi
}

# random MEGABYTES FILE: what no compression makes smaller.
random() {
    head -c "$(($1 * 1000000))" /dev/urandom >"$2"
}

# A tag of shop/app with one layer more than the image before it.
add_layer() {
    before=$1 tag=$2 megabytes=$3
    random "$megabytes" "$FOLDER/layer-$tag"
    umoci --log=error insert --image "$FOLDER/app:$before" --tag "$tag" \
        --history.created_by "COPY layer-$tag /data # buildkit" \
        "$FOLDER/layer-$tag" "/data/$tag"
    push "$tag"
}

push() {
    skopeo copy --quiet --dest-tls-verify=false \
        "oci:$FOLDER/app:$1" "docker://$REGISTRY/shop/app:$1"
}

make_images() {
    umoci --log=error init --layout "$FOLDER/app"
    umoci --log=error new --image "$FOLDER/app:empty"
    add_layer empty 1.0 2
    add_layer 1.0 1.1 1
    add_layer 1.1 1.2 1
    # One that is new since, with a line that nobody wanted.
    add_layer 1.2 1.3 7
    make_zstd
    make_index
}

buildah_here() {
    buildah --root="$FOLDER/root" --runroot="$FOLDER/run" --storage-driver=vfs "$@"
}

build() {
    context="$FOLDER/context-$1"
    mkdir "$context"
    random "$2" "$context/data"
    printf 'FROM scratch\nCOPY data /data\n' >"$context/Dockerfile"
    shift 2
    buildah_here build --quiet --isolation=chroot "$@" "$context" >/dev/null
}

# zstd as buildah writes it does not state how large it will be.
make_zstd() {
    build zstd 7 --tag zstd --platform linux/amd64
    buildah_here push --quiet --tls-verify=false --compression-format=zstd \
        --force-compression zstd "docker://$REGISTRY/shop/app:zstd" >/dev/null
}

# linux/amd64 with 2 MB, linux/arm64 with 5 MB, under one tag.
make_index() {
    buildah_here manifest create both >/dev/null
    build amd64 2 --manifest both --platform linux/amd64
    build arm64 5 --manifest both --platform linux/arm64
    buildah_here manifest push --quiet --all --tls-verify=false \
        both "docker://$REGISTRY/shop/both:1" >/dev/null
}

check_limits() {
    app=$REGISTRY/shop/app
    expect 0 'PASS' "$app:1.0" --max-compressed 3MB
    expect 1 'over by' "$app:1.3" --max-compressed 3MB
    expect 1 'layer-1.3' "$app:1.3" --max-compressed 3MB --max-layer-compressed 5MB
    expect 0 '3 left' "$app:1.0" --max-layers 4
    expect 1 'over by 2 layers' "$app:1.3" --max-layers 2
    # An index: every platform, or one of them.
    both=$REGISTRY/shop/both:1
    expect 1 'linux/arm64' "$both" --max-compressed 3MB
    expect 0 'linux/amd64' "$both" --max-compressed 3MB --platform linux/amd64
    expect 1 'on disk' "$both" --max-uncompressed 3MB
    expect 0 '(trailer)' "$both" --max-uncompressed 3MB --platform linux/amd64
    expect 3 'there is no linux/s390x' "$both" --max-compressed 3MB \
        --platform linux/s390x
}

check_unknown_sizes() {
    zstd=$REGISTRY/shop/app:zstd
    expect 3 'CANNOT SAY' "$zstd" --max-uncompressed 1GB
    expect 0 'WARN' "$zstd" --max-uncompressed 1GB --allow-unknown
    # What is over for sure is over, whatever else is unknown.
    expect 1 'FAIL' "$zstd" --max-uncompressed 1GB --max-compressed 3MB
    expect 0 'PASS' "$zstd" --max-compressed 1GB
}

check_growth() {
    app=$REGISTRY/shop/app
    expect 1 'layer-1.3' "$app:1.3" --against :1.2 --max-growth 25%
    expect 0 'PASS' "$app:1.3" --against :1.2 --max-growth 25% --min-growth 50MB
    expect 0 '0.0 %' "$app:1.2" --against "$app:1.2" --max-growth 0%
    expect 0 'has no linux/arm64' "$REGISTRY/shop/both:1" --against "$app:1.2" \
        --max-growth 25%
    # Another registry, and figures of real images.
    expect 1 'torch' "$DEMO/shop/api:1.5.0" --against :1.4 --max-growth 10%
    expect 1 'against' "$app:1.3" --against "$DEMO/tutorial/hello-alpine" \
        --max-growth 10% --max-compressed 3MB
    expect 0 'PASS' "$DEMO/tutorial/hello" --max-compressed 500MB \
        --max-uncompressed 1.2GB
    # Its layers say nothing certain, but enough.
    expect 1 'over by at least' "$DEMO/ml/notebook" --max-uncompressed 1GB
    expect 3 'no such tag' "$app:1.3" --against :9.9 --max-growth 25%
    expect 0 'has no linux/arm64' "$REGISTRY/shop/both:1" --against "$app:1.2" \
        --max-growth 25% --platform linux/arm64
}

write_policies() {
    cat >"$FOLDER/limits.yaml" <<END
policies:
  - {name: data, match: {tag: "*-data"}, max_compressed: 1GB}
  - {name: apps, match: {repository: "shop/*"}, max_compressed: 4MB}
END
    echo 'policies: [{name: layers, max_layers: 60}]' >"$FOLDER/none-but.yaml"
    cat >"$FOLDER/config.yaml" <<END
registries: [{name: local, url: "http://$REGISTRY"}]
policies: [{name: ours, match: {registry: local}, max_compressed: 4MB}]
END
}

check_policies() {
    app=$REGISTRY/shop/app
    write_policies
    expect 1 'policy apps (' "$app:1.3" --policy "$FOLDER/limits.yaml"
    # An option goes before a policy, key by key.
    expect 1 'policy apps (' "$app:1.3" --policy "$FOLDER/limits.yaml" --max-layers 9
    expect 0 'PASS' "$app:1.3" --policy "$FOLDER/limits.yaml" --max-compressed 1GB
    expect 1 'policy apps (' "$app:1.3" --max-layers 9 \
        --policy "$FOLDER/none-but.yaml" --policy "$FOLDER/limits.yaml"
    expect 1 'policy ours' local/shop/app:1.3 --config "$FOLDER/config.yaml"
    expect 1 'policy ours' "$app:1.3" --config "$FOLDER/config.yaml"
    expect 0 'PASS' local/shop/app:1.0 --config "$FOLDER/config.yaml"
    expect 2 'no limit is set' "$DEMO/library/nginx" --policy "$FOLDER/limits.yaml"
}

check_service() {
    app=$REGISTRY/shop/app
    with="--server $SERVER --token-file $TOKEN_FILE"
    # shellcheck disable=SC2086 # two options
    {
        expect 1 'policy services' "$app:1.3" $with
        expect 1 'against the baseline' "$app:1.3" $with
        expect 0 'PASS' "$app:1.1" $with --max-compressed 1GB
        expect 0 'so that its growth passes' "$REGISTRY/shop/both:1" $with --platform linux/amd64
    }
    expect 3 'WEIGHBRIDGE_TOKEN' "$app:1.3" --server "$SERVER"
    expect 3 'nothing listens' "$app:1.3" --server http://127.0.0.1:1
    expect 3 'does not say which limits hold' "$app:1.3" --server "http://$DEMO"
}

# After somebody has waived what shop/app violates.
check_waived() {
    expect 0 'waived until' "$REGISTRY/shop/app:1.3" --server "$SERVER" \
        --token-file "$TOKEN_FILE"
    # What the command line says is not waived elsewhere.
    expect 1 'over by' "$REGISTRY/shop/app:1.3" --server "$SERVER" \
        --token-file "$TOKEN_FILE" --max-compressed 3MB
    # Its name in a configuration here means nothing to the service: it is told the
    # address.
    echo "registries: [{name: ours, url: \"http://$REGISTRY\"}]" >"$FOLDER/ours.yaml"
    expect 0 'waived until' ours/shop/app:1.3 --config "$FOLDER/ours.yaml" \
        --server "$SERVER" --token-file "$TOKEN_FILE"
}

check_usage() {
    app=$REGISTRY/shop/app:1.0
    expect 2 'no limit is set' "$app"
    expect 3 'not judged' "$app" --max-growth 10%
    expect 2 'alone sets no limit' "$app" --max-layers 9 --min-growth 1MB
    expect 2 'needs a unit' "$app" --max-compressed 500
    expect 2 'more than nothing' "$app" --max-compressed 0MB
    expect 2 'not a percentage' "$app" --against :1.1 --max-growth 10
    expect 2 'no number from 1' "$app" --max-layers 0
    expect 2 'exclude each other' "$app" --server "$SERVER" --policy x.yaml
    expect 2 'cannot be read' "$app" --policy "$FOLDER/none.yaml"
    expect 2 'no form of a report' "$app" --max-layers 9 --report report.txt
    expect 2 'is a registry, not an image' "$REGISTRY" --max-layers 9
    expect 2 'not a platform' "$app" --max-layers 9 --platform amd64
    expect 3 'no such tag' "$REGISTRY/shop/app:9.9" --max-layers 9
    expect 3 'does not know' "$REGISTRY/shop/none" --max-layers 9
    expect 3 'nothing listens' 127.0.0.1:1/shop/app --max-layers 9
    expect 3 'it is no image' "$DEMO/shop/charts/api:0.9.2" --max-layers 9
}

# Each exit code, and each of the rules above once: what a build is about to meet.
check_few() {
    app=$REGISTRY/shop/app zstd=$REGISTRY/shop/app:zstd
    expect 0 'PASS' "$app:1.0" --max-compressed 3MB
    expect 1 'layer-1.3' "$app:1.3" --max-compressed 3MB --max-layer-compressed 5MB
    expect 3 'CANNOT SAY' "$zstd" --max-uncompressed 1GB
    expect 1 'layer-1.3' "$app:1.3" --against :1.2 --max-growth 25%
    write_policies
    expect 1 'policy apps (' "$app:1.3" --policy "$FOLDER/limits.yaml"
    expect 1 'policy ours' local/shop/app:1.3 --config "$FOLDER/config.yaml"
    expect 1 'policy services' "$app:1.3" --server "$SERVER" \
        --token-file "$TOKEN_FILE"
    expect 2 'no limit is set' "$app:1.0"
    expect 3 'nothing listens' 127.0.0.1:1/shop/app --max-layers 9
}

check_interrupt() {
    checked=$((checked + 1))
    said=0
    # shellcheck disable=SC2086 # the command may be several words
    timeout --preserve-status --signal=INT 3 \
        $WEIGHBRIDGE check "$SILENT/a" --max-layers 9 >"$FOLDER/said" 2>&1 || said=$?
    if [ "$said" -eq 130 ]; then
        echo "ok 130  interrupted"
    else
        wrong=$((wrong + 1))
        echo "WRONG: exited with $said when it was interrupted"
    fi
}

case ${1-} in
images)
    make_images
    ;;
few)
    check_few
    check_interrupt
    ;;
exits)
    check_limits
    check_unknown_sizes
    check_growth
    check_policies
    check_service
    check_usage
    check_interrupt
    ;;
waived)
    check_waived
    ;;
*)
    echo "usage: $0 images|few|exits|waived" >&2
    exit 2
    ;;
esac
echo "$checked checked, $wrong wrong"
[ "$wrong" -eq 0 ]

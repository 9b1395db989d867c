"""Helm charts: artifacts that a registry keeps beside images."""

from weighbridge.demo.content.recipe import Chart
from weighbridge.demo.content.stored_documents import (
    MANIFEST,
    StoredPush,
    as_json,
    as_served,
    descriptor,
)
from weighbridge.demo.content.virtual_blobs import make_blob, whole_blob


def build_chart(chart: Chart) -> StoredPush:
    """A chart as helm pushes it: a manifest whose config is no image's."""
    about = {"name": chart.name, "version": chart.version, "apiVersion": "v2"}
    config = whole_blob(as_json(about))
    content = make_blob(f"{chart.name} {chart.version}", "gzip", chart.content_bytes)
    helm = "application/vnd.cncf.helm"
    manifest = as_served(
        {
            "schemaVersion": 2,
            "config": descriptor(config, f"{helm}.config.v1+json"),
            "layers": [descriptor(content, f"{helm}.chart.content.v1.tar+gzip")],
            "annotations": {"org.opencontainers.image.created": chart.at},
        },
        MANIFEST["oci"],
    )
    blobs = {config.digest: config, content.digest: content}
    return StoredPush(manifest, (manifest,), blobs)

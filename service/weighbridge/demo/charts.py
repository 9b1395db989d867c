"""Helm charts: artifacts that a registry keeps beside images."""

from weighbridge.demo.blobs import make_blob, whole_blob
from weighbridge.demo.documents import MANIFEST, Stored, as_json, as_served, descriptor
from weighbridge.demo.recipe import Chart


def build_chart(chart: Chart) -> Stored:
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
    return Stored(manifest, (manifest,), blobs)

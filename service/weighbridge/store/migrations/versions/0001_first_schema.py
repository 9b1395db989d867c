"""The first schema: registries, facts, tags, the read model."""

from typing import Final, Literal, TypeVar

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

from weighbridge.store.migrations import sum_triggers

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

Kind = TypeVar("Kind")

# Names sort by their bytes, whatever the server's locale is.
TEXT: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ID: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# For people and checks: digests as text, and words instead of numbers. An image of
# which several registries say different things has a line for each.
IMAGE_FACTS: Final = """
CREATE VIEW image_facts AS
SELECT DISTINCT
    CASE length(blobs.digest) WHEN 32 THEN 'sha256:' ELSE 'sha512:' END
        || {hex} AS digest,
    platforms.text AS platform,
    coalesce(sizes.compressed_bytes, images.compressed_bytes) AS compressed_bytes,
    sizes.uncompressed_bytes,
    CASE sizes.uncompressed_confidence
        WHEN 0 THEN 'exact'
        WHEN 1 THEN 'trailer'
        WHEN 2 THEN 'annotation'
        WHEN 3 THEN 'estimate'
        WHEN 4 THEN 'unknown'
    END AS uncompressed_confidence
FROM images
JOIN blobs ON blobs.id = images.id
JOIN platforms ON platforms.id = images.platform_id
LEFT JOIN manifest_sizes AS sizes ON sizes.manifest_id = images.id
"""


DEDUPLICATED: Final = (
    "CASE WHEN referenced_bytes IS NOT NULL THEN deduplicated_bytes END"
)
EXCLUSIVE: Final = "CASE WHEN referenced_bytes IS NOT NULL THEN exclusive_bytes END"
ORDERS: Final = {
    "compressed": "newest_compressed_bytes",
    "uncompressed": "newest_uncompressed_bytes",
    "growth": "((newest_compressed_bytes - baseline_compressed_bytes)"
    " / CAST(nullif(baseline_compressed_bytes, 0) AS {double}))",
    "heaviest": "heaviest_compressed_bytes",
    "largest": "largest_compressed_bytes",
    "layers": "newest_layers",
    "newest": "newest_at",
    "referenced": "referenced_bytes",
    "weighed": "weighed_bytes",
    "deduplicated": f"({DEDUPLICATED})",
    "shared": f"({DEDUPLICATED} - {EXCLUSIVE})",
    "exclusive": f"({EXCLUSIVE})",
    "tags": "tag_count",
    "images": "image_count",
    "failed": "tags_failed",
}
DOUBLE: Final = {"sqlite": "DOUBLE", "postgresql": "DOUBLE PRECISION"}
HEX: Final = {
    "sqlite": "lower(hex(blobs.digest))",
    "postgresql": "encode(blobs.digest, 'hex')",
}


def upgrade() -> None:
    create_registries()
    create_facts()
    create_tags()
    create_access()
    create_pushes()
    create_violations()
    create_messages()
    leave_room()
    create_sums()
    op.execute(IMAGE_FACTS.format(hex=HEX[op.get_bind().dialect.name]))


def create_registries() -> None:
    """Who is asked, and what each crawl did."""
    op.create_table(
        "registries",
        required("id", ID),
        required("name", TEXT),
        required("kind", TEXT),
        required("url", TEXT),
        required("address", TEXT),
        required("storage_scope", TEXT),
        optional("address_class", TEXT),
        required("interval_s", sa.Integer()),
        required("state", TEXT),
        required("state_reason", TEXT),
        required("state_since", sa.BigInteger()),
        optional("last_discovery_at", sa.BigInteger()),
        optional("last_complete_discovery_at", sa.BigInteger()),
        optional("held", TEXT),
        required("removals_held", sa.Integer()),
        sa.Column("false_head_at", sa.BigInteger()),
        required("requests", sa.BigInteger()),
        required("bytes_read", sa.BigInteger()),
        optional("rate_limit", sa.BigInteger()),
        optional("rate_limit_remaining", sa.BigInteger()),
        optional("rate_limit_window_s", sa.BigInteger()),
        optional("rate_limit_seen_at", sa.BigInteger()),
        required("revision", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_registries"),
        sa.UniqueConstraint("name", name="uq_registries_name"),
    )
    op.create_index("ix_registries_address", "registries", ["address"], unique=False)
    op.create_table(
        "storage_scopes",
        required("id", ID),
        required("registry_id", ID),
        required("name", TEXT),
        required("image_count", sa.BigInteger()),
        required("weighed_bytes", sa.BigInteger()),
        required("deduplicated_bytes", sa.BigInteger()),
        required("shared_bytes", sa.BigInteger()),
        required("revision", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["registry_id"], ["registries.id"], name="fk_storage_scopes_registry_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_storage_scopes"),
        sa.UniqueConstraint(
            "registry_id", "name", name="uq_storage_scopes_registry_id_name"
        ),
    )
    op.create_table(
        "repositories",
        required("id", ID),
        required("registry_id", ID),
        required("scope_id", ID),
        required("name", TEXT),
        required("state", TEXT),
        required("state_reason", TEXT),
        required("state_since", sa.BigInteger()),
        optional("deleted_at", sa.BigInteger()),
        required("due_at", sa.BigInteger()),
        optional("lease_until", sa.BigInteger()),
        optional("lease_owner", TEXT),
        required("fence", sa.BigInteger()),
        required("attempts", sa.Integer()),
        required("complete_crawls", sa.BigInteger()),
        required("missing_crawls", sa.Integer()),
        required("was_listed", sa.Boolean()),
        required("is_silent", sa.Boolean()),
        optional("held", TEXT),
        optional("last_crawl_at", sa.BigInteger()),
        optional("last_complete_crawl_at", sa.BigInteger()),
        required("requests", sa.BigInteger()),
        required("bytes_read", sa.BigInteger()),
        required("revision", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["registry_id"], ["registries.id"], name="fk_repositories_registry_id"
        ),
        sa.ForeignKeyConstraint(
            ["scope_id"], ["storage_scopes.id"], name="fk_repositories_scope_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_repositories"),
        sa.UniqueConstraint(
            "registry_id", "name", name="uq_repositories_registry_id_name"
        ),
    )
    op.create_index(
        "ix_repositories_due_at",
        "repositories",
        ["registry_id", "due_at"],
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "ix_repositories_last_crawl_at",
        "repositories",
        ["registry_id", "last_crawl_at", "id"],
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "ix_repositories_last_complete_crawl_at",
        "repositories",
        ["registry_id", "last_complete_crawl_at"],
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "ix_repositories_lease_owner",
        "repositories",
        ["lease_owner"],
        sqlite_where=sa.text("lease_owner IS NOT NULL"),
        postgresql_where=sa.text("lease_owner IS NOT NULL"),
    )
    op.create_index(
        "ix_repositories_attempts",
        "repositories",
        ["attempts"],
        sqlite_where=sa.text("attempts >= 3"),
        postgresql_where=sa.text("attempts >= 3"),
    )
    op.create_table(
        "jobs",
        required("job", TEXT),
        required("argument", TEXT),
        required("due_at", sa.BigInteger()),
        optional("lease_until", sa.BigInteger()),
        optional("lease_owner", TEXT),
        required("attempts", sa.Integer()),
        optional("done_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("job", "argument", name="pk_jobs"),
    )
    op.create_table(
        "crawls",
        required("id", ID),
        required("repository_id", ID),
        required("registry_id", sa.BigInteger()),
        required("started_at", sa.BigInteger()),
        optional("ended_at", sa.BigInteger()),
        required("state", TEXT),
        required("reason", TEXT),
        required("tags_seen", sa.BigInteger()),
        required("tags_new", sa.BigInteger()),
        required("tags_moved", sa.BigInteger()),
        required("tags_deleted", sa.BigInteger()),
        required("tags_failed", sa.BigInteger()),
        required("invalid_tags", sa.BigInteger()),
        required("requests", sa.BigInteger()),
        required("bytes_read", sa.BigInteger()),
        required("resumes", sa.Integer()),
        optional("overtaken", TEXT),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name="fk_crawls_repository_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_crawls"),
    )
    op.create_index(
        "ix_crawls_repository_id_id", "crawls", ["repository_id", "id"], unique=False
    )
    op.create_index(
        "ix_crawls_registry_id_id", "crawls", ["registry_id", "id"], unique=False
    )
    op.create_table(
        "crawl_chunks",
        required("crawl_id", ID),
        required("position", sa.Integer()),
        required("step", sa.Integer()),
        required("names", TEXT),
        optional("tags", TEXT),
        optional("found", TEXT),
        optional("lease_until", sa.BigInteger()),
        optional("lease_owner", TEXT),
        sa.ForeignKeyConstraint(
            ["crawl_id"], ["crawls.id"], name="fk_crawl_chunks_crawl_id"
        ),
        sa.PrimaryKeyConstraint("crawl_id", "position", name="pk_crawl_chunks"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_crawl_chunks_open",
        "crawl_chunks",
        ["crawl_id", "position"],
        sqlite_where=sa.text("tags IS NOT NULL"),
        postgresql_where=sa.text("tags IS NOT NULL"),
    )
    op.create_table(
        "crawl_requests",
        required("id", ID),
        required("registry_id", ID),
        optional("repositories", TEXT),
        required("measures", sa.Boolean()),
        required("asked_at", sa.BigInteger()),
        required("after_crawl_id", sa.BigInteger()),
        optional("owner", TEXT),
        optional("lease_until", sa.BigInteger()),
        required("state", TEXT),
        required("reason", TEXT),
        optional("known", sa.BigInteger()),
        optional("crawled_at", sa.BigInteger()),
        optional("ended_at", sa.BigInteger()),
        optional("complete", sa.BigInteger()),
        optional("partial", sa.BigInteger()),
        optional("failed", sa.BigInteger()),
        optional("tags", sa.BigInteger()),
        optional("requests", sa.BigInteger()),
        optional("bytes_read", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["registry_id"], ["registries.id"], name="fk_crawl_requests_registry_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_crawl_requests"),
    )
    op.create_index(
        "ix_crawl_requests_open",
        "crawl_requests",
        ["registry_id"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def create_facts() -> None:
    """What documents say: immutable, shared by all repositories."""
    op.create_table(
        "media_types",
        required("id", ID),
        required("text", TEXT),
        sa.PrimaryKeyConstraint("id", name="pk_media_types"),
        sa.UniqueConstraint("text", name="uq_media_types_text"),
    )
    op.create_table(
        "platforms",
        required("id", ID),
        required("text", TEXT),
        required("os", TEXT),
        required("architecture", TEXT),
        required("variant", TEXT),
        required("os_version", TEXT),
        sa.PrimaryKeyConstraint("id", name="pk_platforms"),
        sa.UniqueConstraint("text", name="uq_platforms_text"),
    )
    op.create_table(
        "instructions",
        required("id", ID),
        required("text_digest", sa.LargeBinary()),
        required("text", TEXT),
        sa.PrimaryKeyConstraint("id", name="pk_instructions"),
        sa.UniqueConstraint("text_digest", name="uq_instructions_text_digest"),
    )
    op.create_table(
        "blobs",
        required("id", ID),
        required("digest", sa.LargeBinary()),
        optional("compressed_bytes", sa.BigInteger()),
        optional("read_bytes", sa.BigInteger()),
        required("counted_bytes", sa.BigInteger()),
        required("is_known", sa.Boolean()),
        optional("media_type_id", sa.BigInteger()),
        required("is_layer", sa.Boolean()),
        required("is_foreign", sa.Boolean()),
        required("has_conflict", sa.Boolean()),
        required("has_format_conflict", sa.Boolean()),
        required("is_uncounted", sa.Boolean()),
        required("facts_state", sa.SmallInteger()),
        optional("facts_code", TEXT),
        sa.PrimaryKeyConstraint("id", name="pk_blobs"),
        sa.UniqueConstraint("digest", name="uq_blobs_digest"),
    )
    op.create_index(
        "ix_blobs_uncounted",
        "blobs",
        ["id"],
        unique=False,
        sqlite_where=sa.text("is_uncounted"),
        postgresql_where=sa.text("is_uncounted"),
    )
    op.create_table(
        "images",
        required("id", ID, is_given=True),
        required("platform_id", sa.BigInteger()),
        required("config_id", sa.BigInteger()),
        optional("created_at", sa.BigInteger()),
        required("compressed_bytes", sa.BigInteger()),
        required("stored_bytes", sa.BigInteger()),
        required("layer_count", sa.Integer()),
        required("history_alignment", sa.SmallInteger()),
        optional("problems", TEXT),
        sa.PrimaryKeyConstraint("id", name="pk_images"),
    )
    op.create_table(
        "artifacts",
        required("id", ID, is_given=True),
        required("role", sa.SmallInteger()),
        required("artifact_type", TEXT),
        optional("config_id", sa.BigInteger()),
        required("stored_bytes", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_artifacts"),
    )
    op.create_table(
        "index_members",
        required("index_id", sa.BigInteger()),
        required("position", sa.SmallInteger()),
        required("child_id", sa.BigInteger()),
        required("role", sa.SmallInteger()),
        optional("platform_id", sa.BigInteger()),
        sa.PrimaryKeyConstraint("index_id", "position", name="pk_index_members"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "layers",
        required("image_id", sa.BigInteger()),
        required("position", sa.SmallInteger()),
        required("is_foreign", sa.Boolean()),
        required("blob_id", sa.BigInteger()),
        optional("claimed_bytes", sa.BigInteger()),
        optional("media_type_id", sa.BigInteger()),
        optional("annotated_uncompressed_bytes", sa.BigInteger()),
        sa.PrimaryKeyConstraint("image_id", "position", name="pk_layers"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_layers_claimed",
        "layers",
        ["blob_id"],
        unique=False,
        sqlite_where=sa.text("claimed_bytes IS NOT NULL"),
        postgresql_where=sa.text("claimed_bytes IS NOT NULL"),
    )
    op.create_table(
        "lines",
        required("image_id", ID, is_given=True),
        required("entries", TEXT),
        sa.PrimaryKeyConstraint("image_id", name="pk_lines"),
    )
    create_sizes()


def create_sizes() -> None:
    """What registries answered about blobs, and the totals made of it."""
    op.create_table(
        "blob_sizes",
        required("scope_id", sa.BigInteger()),
        required("blob_id", sa.BigInteger()),
        optional("registry_bytes", sa.BigInteger()),
        optional("claim_reason", TEXT),
        optional("seen_format", sa.SmallInteger()),
        optional("uncompressed_confidence", sa.SmallInteger()),
        optional("uncompressed_bytes", sa.BigInteger()),
        optional("uncompressed_low_bytes", sa.BigInteger()),
        optional("uncompressed_high_bytes", sa.BigInteger()),
        optional("uncompressed_reason", TEXT),
        required("asked_at", sa.BigInteger()),
        required("attempts", sa.Integer()),
        optional("ask_again_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("scope_id", "blob_id", name="pk_blob_sizes"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_blob_sizes_ask_again",
        "blob_sizes",
        ["scope_id", "ask_again_at"],
        unique=False,
        sqlite_where=sa.text("ask_again_at IS NOT NULL"),
        postgresql_where=sa.text("ask_again_at IS NOT NULL"),
    )
    op.create_table(
        "manifest_sizes",
        required("scope_id", sa.BigInteger()),
        required("manifest_id", sa.BigInteger()),
        required("stored_bytes", sa.BigInteger()),
        optional("compressed_bytes", sa.BigInteger()),
        optional("compressed_confidence", sa.SmallInteger()),
        optional("uncompressed_bytes", sa.BigInteger()),
        optional("uncompressed_confidence", sa.SmallInteger()),
        required("is_whole", sa.Boolean()),
        required("is_changed", sa.Boolean()),
        sa.PrimaryKeyConstraint("scope_id", "manifest_id", name="pk_manifest_sizes"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_manifest_sizes_changed",
        "manifest_sizes",
        ["scope_id", "manifest_id"],
        unique=False,
        sqlite_where=sa.text("is_changed"),
        postgresql_where=sa.text("is_changed"),
    )
    op.create_table(
        "disputes",
        required("id", ID),
        required("scope_id", sa.BigInteger()),
        required("manifest_id", sa.BigInteger()),
        required("blob_id", sa.BigInteger()),
        required("source", sa.SmallInteger()),
        required("claimed_bytes", sa.BigInteger()),
        required("seen_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_disputes"),
        sa.UniqueConstraint(
            "scope_id",
            "manifest_id",
            "blob_id",
            "source",
            name="uq_disputes_scope_id_manifest_id_blob_id_source",
        ),
    )
    op.create_index(
        "ix_disputes_scope_id_blob_id",
        "disputes",
        ["scope_id", "blob_id"],
        unique=False,
    )


def create_tags() -> None:
    """Where tags point, what that keeps live, and the read model."""
    op.create_table(
        "tags",
        required("id", ID),
        required("repository_id", ID),
        required("name", TEXT),
        required("natural_key", TEXT),
        optional("target_id", sa.BigInteger()),
        required("first_seen_at", sa.BigInteger()),
        optional("moved_at", sa.BigInteger()),
        optional("pushed_at", sa.BigInteger()),
        optional("deleted_at", sa.BigInteger()),
        optional("error_code", TEXT),
        optional("error_message", TEXT),
        optional("error_digest", sa.LargeBinary()),
        optional("error_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name="fk_tags_repository_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_tags"),
        sa.UniqueConstraint("repository_id", "name", name="uq_tags_repository_id_name"),
    )
    op.create_index(
        "ix_tags_repository_id_natural_key",
        "tags",
        ["repository_id", "natural_key"],
        unique=False,
    )
    op.create_table(
        "tag_moves",
        required("tag_id", sa.BigInteger()),
        required("seen_from", sa.BigInteger()),
        required("target_id", sa.BigInteger()),
        optional("seen_until", sa.BigInteger()),
        optional("pushed_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("tag_id", "seen_from", name="pk_tag_moves"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "repository_manifests",
        required("repository_id", sa.BigInteger()),
        required("manifest_id", sa.BigInteger()),
        required("tag_count", sa.Integer()),
        required("index_count", sa.Integer()),
        sa.PrimaryKeyConstraint(
            "repository_id", "manifest_id", name="pk_repository_manifests"
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_repository_manifests_manifest_id",
        "repository_manifests",
        ["manifest_id"],
        unique=False,
    )
    create_ledger()
    op.create_table(
        "repository_summaries",
        required("repository_id", ID),
        optional("registry_id", sa.BigInteger()),
        required("tag_count", sa.BigInteger()),
        required("image_count", sa.BigInteger()),
        required("tags_failed", sa.BigInteger()),
        optional("newest_tag", TEXT),
        optional("newest_image_id", sa.BigInteger()),
        optional("newest_platform", TEXT),
        optional("newest_by", TEXT),
        optional("newest_at", sa.BigInteger()),
        optional("newest_compressed_bytes", sa.BigInteger()),
        optional("newest_compressed_confidence", sa.SmallInteger()),
        optional("newest_uncompressed_bytes", sa.BigInteger()),
        optional("newest_uncompressed_confidence", sa.SmallInteger()),
        optional("newest_layers", sa.Integer()),
        optional("baseline_compressed_bytes", sa.BigInteger()),
        optional("heaviest_instruction_id", sa.BigInteger()),
        optional("heaviest_compressed_bytes", sa.BigInteger()),
        optional("largest_compressed_bytes", sa.BigInteger()),
        optional("referenced_bytes", sa.BigInteger()),
        optional("weighed_bytes", sa.BigInteger()),
        required("deduplicated_bytes", sa.BigInteger()),
        required("exclusive_bytes", sa.BigInteger()),
        required("is_stale", sa.Boolean()),
        required("is_uncounted", sa.Boolean()),
        required("is_unmeasured", sa.Boolean()),
        required("changed_at", sa.BigInteger()),
        required("revision", sa.BigInteger()),
        required("over_tags", sa.BigInteger()),
        required("limits_mark", TEXT),
        required("over_waits", sa.Boolean()),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name="fk_repository_summaries_repository_id",
        ),
        sa.PrimaryKeyConstraint("repository_id", name="pk_repository_summaries"),
    )
    # By what repositories are listed, those of each registry.
    double = DOUBLE[op.get_bind().dialect.name]
    for name, value in ORDERS.items():
        op.execute(
            f"CREATE INDEX ix_repository_summaries_by_{name} ON repository_summaries"
            f" (registry_id, {value.format(double=double)}, repository_id)"
        )


def create_ledger() -> None:
    """What each repository holds, and in whose hands a blob is."""
    op.create_table(
        "repository_blobs",
        required("scope_id", sa.BigInteger()),
        required("blob_id", sa.BigInteger()),
        required("repository_id", sa.BigInteger()),
        required("manifest_count", sa.Integer()),
        sa.PrimaryKeyConstraint(
            "scope_id", "blob_id", "repository_id", name="pk_repository_blobs"
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "scope_blobs",
        required("scope_id", sa.BigInteger()),
        required("blob_id", sa.BigInteger()),
        optional("sole_repository_id", sa.BigInteger()),
        sa.PrimaryKeyConstraint("scope_id", "blob_id", name="pk_scope_blobs"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_scope_blobs_blob_id_scope_id",
        "scope_blobs",
        ["blob_id", "scope_id"],
        unique=False,
    )
    op.create_table(
        "blob_changes",
        required("id", ID),
        required("scope_id", sa.BigInteger()),
        required("blob_id", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_blob_changes"),
    )
    op.create_index(
        "ix_blob_changes_scope_id_id", "blob_changes", ["scope_id", "id"], unique=False
    )
    op.create_table(
        "touched_manifests",
        required("id", ID),
        optional("manifest_id", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_touched_manifests"),
    )


def create_access() -> None:
    """Who may ask, and what admins did."""
    op.create_table(
        "tokens",
        required("id", ID),
        required("name", TEXT),
        required("role", TEXT),
        required("sha256", sa.LargeBinary()),
        required("created_at", sa.BigInteger()),
        optional("expires_at", sa.BigInteger()),
        optional("last_used_at", sa.BigInteger()),
        optional("revoked_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("sha256", name="uq_tokens_sha256"),
    )
    op.create_index(
        "uq_tokens_name",
        "tokens",
        ["name"],
        unique=True,
        sqlite_where=sa.text("revoked_at IS NULL"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "audit_log",
        required("id", ID),
        required("at", sa.BigInteger()),
        required("actor", TEXT),
        required("act", TEXT),
        required("subject", TEXT),
        required("detail", TEXT),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
    )


def create_pushes() -> None:
    """What webhooks said, and which tags wait to be judged."""
    op.create_table(
        "pushes",
        required("id", ID),
        required("registry", TEXT),
        required("source", TEXT),
        required("event_key", sa.LargeBinary()),
        required("repository", TEXT),
        optional("tag", TEXT),
        optional("digest", sa.LargeBinary()),
        required("is_delete", sa.Boolean()),
        optional("pushed_at", sa.BigInteger()),
        required("received_at", sa.BigInteger()),
        required("due_at", sa.BigInteger()),
        required("attempts", sa.Integer()),
        optional("done_at", sa.BigInteger()),
        required("outcome", TEXT),
        sa.PrimaryKeyConstraint("id", name="pk_pushes"),
        sa.UniqueConstraint("event_key", name="uq_pushes_event_key"),
    )
    op.create_index(
        "ix_pushes_waiting",
        "pushes",
        ["registry", "repository", "due_at"],
        sqlite_where=sa.text("done_at IS NULL"),
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.create_index(
        "ix_pushes_done",
        "pushes",
        ["registry", "repository", "done_at"],
        sqlite_where=sa.text("done_at IS NOT NULL"),
        postgresql_where=sa.text("done_at IS NOT NULL"),
    )
    op.create_table(
        "unjudged",
        required("repository_id", sa.BigInteger()),
        required("tag_id", sa.BigInteger()),
        required("is_silent", sa.Boolean()),
        required("is_weighed", sa.Boolean()),
        sa.PrimaryKeyConstraint("repository_id", "tag_id", name="pk_unjudged"),
        sqlite_with_rowid=False,
    )


def create_violations() -> None:
    """Limits that are exceeded, and what was accepted."""
    op.create_table(
        "violations",
        required("id", ID),
        required("repository_id", ID),
        required("stream", TEXT),
        required("platform", TEXT),
        required("policy", TEXT),
        required("limit_key", TEXT),
        optional("team", TEXT),
        required("severity", TEXT),
        optional("tag", TEXT),
        optional("image_id", sa.BigInteger()),
        optional("digest", sa.LargeBinary()),
        required("limit_amount", sa.BigInteger()),
        required("amount", sa.BigInteger()),
        optional("baseline_compressed_bytes", sa.BigInteger()),
        optional("before_image_id", sa.BigInteger()),
        optional("before_compressed_bytes", sa.BigInteger()),
        optional("cause_key", sa.LargeBinary()),
        optional("cause", TEXT),
        required("is_silent", sa.Boolean()),
        optional("notified_amount", sa.BigInteger()),
        required("opened_at", sa.BigInteger()),
        optional("pushed_at", sa.BigInteger()),
        required("changed_at", sa.BigInteger()),
        optional("closed_at", sa.BigInteger()),
        optional("closed_by", TEXT),
        optional("within_tag", TEXT),
        optional("within_image_id", sa.BigInteger()),
        optional("within_digest", sa.LargeBinary()),
        optional("within_amount", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name="fk_violations_repository_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_violations"),
    )
    op.create_index(
        "uq_violations_open",
        "violations",
        ["repository_id", "stream", "platform", "policy", "limit_key"],
        unique=True,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(
        "ix_violations_open",
        "violations",
        ["id"],
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(
        "ix_violations_repository_id", "violations", ["repository_id", "id"]
    )
    op.create_index(
        "ix_violations_ended",
        "violations",
        ["repository_id", "closed_at"],
        sqlite_where=sa.text("closed_at IS NOT NULL"),
        postgresql_where=sa.text("closed_at IS NOT NULL"),
    )
    op.create_index(
        "ix_violations_closed_at",
        "violations",
        ["closed_at"],
        sqlite_where=sa.text("closed_at IS NOT NULL"),
        postgresql_where=sa.text("closed_at IS NOT NULL"),
    )
    op.create_index(
        "ix_violations_cause_key",
        "violations",
        ["cause_key"],
        sqlite_where=sa.text("cause_key IS NOT NULL"),
        postgresql_where=sa.text("cause_key IS NOT NULL"),
    )
    op.create_table(
        "over_tags",
        required("repository_id", sa.BigInteger()),
        required("tag_id", sa.BigInteger()),
        required("platform", TEXT),
        required("limit_key", TEXT),
        required("policy", TEXT),
        optional("team", TEXT),
        required("severity", TEXT),
        required("image_id", sa.BigInteger()),
        required("limit_amount", sa.BigInteger()),
        required("amount", sa.BigInteger()),
        sa.PrimaryKeyConstraint(
            "repository_id", "tag_id", "platform", "limit_key", name="pk_over_tags"
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "waivers",
        required("id", ID),
        required("registry", TEXT),
        required("repository", TEXT),
        required("tag", TEXT),
        optional("limit_key", TEXT),
        required("reason", TEXT),
        required("author", TEXT),
        required("created_at", sa.BigInteger()),
        required("expires_at", sa.BigInteger()),
        optional("revoked_at", sa.BigInteger()),
        optional("revoked_by", TEXT),
        sa.PrimaryKeyConstraint("id", name="pk_waivers"),
    )


def create_messages() -> None:
    """What is to be told, and was."""
    op.create_table(
        "notification_groups",
        required("id", ID),
        required("channel", TEXT),
        required("group_key", sa.LargeBinary()),
        required("is_cause", sa.Boolean()),
        required("about", TEXT),
        required("wait_s", sa.Integer()),
        required("interval_s", sa.Integer()),
        optional("next_at", sa.BigInteger()),
        optional("last_sent_at", sa.BigInteger()),
        required("messages", sa.Integer()),
        required("attempts", sa.Integer()),
        optional("failing_since", sa.BigInteger()),
        optional("error_code", TEXT),
        optional("lease_until", sa.BigInteger()),
        optional("lease_owner", TEXT),
        sa.PrimaryKeyConstraint("id", name="pk_notification_groups"),
        sa.UniqueConstraint(
            "channel", "group_key", name="uq_notification_groups_channel_group_key"
        ),
    )
    op.create_index(
        "ix_notification_groups_next_at",
        "notification_groups",
        ["channel", "next_at", "id"],
        sqlite_where=sa.text("next_at IS NOT NULL"),
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
    op.create_table(
        "channel_paces",
        required("channel", TEXT),
        required("begun", TEXT),
        sa.PrimaryKeyConstraint("channel", name="pk_channel_paces"),
    )
    op.create_table(
        "notifications",
        required("id", ID),
        required("group_id", ID),
        required("violation_id", ID),
        required("event", TEXT),
        required("created_at", sa.BigInteger()),
        optional("message_key", TEXT),
        optional("sent_at", sa.BigInteger()),
        optional("given_up_at", sa.BigInteger()),
        optional("dropped_for", TEXT),
        sa.ForeignKeyConstraint(
            ["group_id"],
            ["notification_groups.id"],
            name="fk_notifications_group_id",
        ),
        sa.ForeignKeyConstraint(
            ["violation_id"], ["violations.id"], name="fk_notifications_violation_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_notifications"),
        sa.UniqueConstraint(
            "violation_id",
            "event",
            "group_id",
            name="uq_notifications_violation_id_event_group_id",
        ),
    )
    op.create_index(
        "ix_notifications_waiting",
        "notifications",
        ["group_id", "id"],
        sqlite_where=sa.text("sent_at IS NULL"),
        postgresql_where=sa.text("sent_at IS NULL"),
    )


def create_sums() -> None:
    """What the repositories of each registry come to."""
    counts = (
        "revision",
        "repositories",
        *(f"are_{state}" for state in sum_triggers.STATES),
        "are_crawled",
        "tags_held",
        "tags",
        "tags_failed",
        "with_image",
        "summed_up",
        "images",
    )
    sums = ("newest", "referenced", "exclusive", "weighed", "deduplicated", "shared")
    halves = (f"{name}_{half}" for name in sums for half in ("high", "low"))
    op.create_table(
        "registry_sums",
        required("id", ID),
        required("registry_id", sa.BigInteger()),
        *(optional(name, sa.BigInteger()) for name in (*counts, *halves)),
        sa.PrimaryKeyConstraint("id", name="pk_registry_sums"),
    )
    for statement in sum_triggers.statements(op.get_bind().dialect.name):
        op.execute(statement)


def leave_room() -> None:
    """PostgreSQL: an update that finds room on its page touches no index."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in (
        "repositories",
        "repository_manifests",
        "repository_blobs",
        "scope_blobs",
        "storage_scopes",
        "repository_summaries",
        "tags",
    ):
        op.execute(f"ALTER TABLE {table} SET (fillfactor = 85)")


def required(
    name: str, kind: TypeEngine[Kind], *, is_given: bool = False
) -> sa.Column[Kind]:
    """is_given: it is another table's key too, so the database does not number it."""
    numbered: Literal["auto", False] = False if is_given else "auto"
    return sa.Column(name, kind, nullable=False, autoincrement=numbered)


def optional(name: str, kind: TypeEngine[Kind]) -> sa.Column[Kind]:
    return sa.Column(name, kind, nullable=True)

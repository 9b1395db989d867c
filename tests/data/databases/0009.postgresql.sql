CREATE FUNCTION public.add_repositories() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO registry_sums (registry_id, are_new, are_ok, are_partial, are_missing, are_unauthorized, are_unreachable, are_error, repositories, are_crawled, tags_held) SELECT CASE WHEN NEW.deleted_at IS NULL THEN NEW.registry_id END, CASE WHEN NEW.state = 'new' THEN 1 ELSE 0 END, CASE WHEN NEW.state = 'ok' THEN 1 ELSE 0 END, CASE WHEN NEW.state = 'partial' THEN 1 ELSE 0 END, CASE WHEN NEW.state = 'missing' THEN 1 ELSE 0 END, CASE WHEN NEW.state = 'unauthorized' THEN 1 ELSE 0 END, CASE WHEN NEW.state = 'unreachable' THEN 1 ELSE 0 END, CASE WHEN NEW.state = 'error' THEN 1 ELSE 0 END, 1, CASE WHEN NEW.last_crawl_at IS NOT NULL THEN 1 ELSE 0 END, CASE WHEN NEW.held IS NOT NULL THEN 1 ELSE 0 END WHERE CASE WHEN NEW.deleted_at IS NULL THEN NEW.registry_id END IS NOT NULL; RETURN NULL; END $$;
CREATE FUNCTION public.add_repository_summaries() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO registry_sums (registry_id, tags, tags_failed, with_image, summed_up, newest_high, newest_low, referenced_high, referenced_low, exclusive_high, exclusive_low) SELECT NEW.registry_id, NEW.tag_count, NEW.tags_failed, CASE WHEN NEW.newest_compressed_bytes IS NOT NULL THEN 1 ELSE 0 END, CASE WHEN NEW.referenced_bytes IS NOT NULL THEN 1 ELSE 0 END, coalesce(NEW.newest_compressed_bytes / 4294967296, 0), coalesce(NEW.newest_compressed_bytes % 4294967296, 0), coalesce(NEW.referenced_bytes / 4294967296, 0), coalesce(NEW.referenced_bytes % 4294967296, 0), coalesce(NEW.exclusive_bytes / 4294967296, 0), coalesce(NEW.exclusive_bytes % 4294967296, 0) WHERE NEW.registry_id IS NOT NULL; RETURN NULL; END $$;
CREATE FUNCTION public.add_storage_scopes() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO registry_sums (registry_id, images, weighed_high, weighed_low, deduplicated_high, deduplicated_low, shared_high, shared_low) SELECT NEW.registry_id, NEW.image_count, coalesce(NEW.weighed_bytes / 4294967296, 0), coalesce(NEW.weighed_bytes % 4294967296, 0), coalesce(NEW.deduplicated_bytes / 4294967296, 0), coalesce(NEW.deduplicated_bytes % 4294967296, 0), coalesce(NEW.shared_bytes / 4294967296, 0), coalesce(NEW.shared_bytes % 4294967296, 0) WHERE NEW.registry_id IS NOT NULL; RETURN NULL; END $$;
CREATE FUNCTION public.change_repositories() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO registry_sums (registry_id, are_new, are_ok, are_partial, are_missing, are_unauthorized, are_unreachable, are_error, are_crawled, tags_held) SELECT CASE WHEN NEW.deleted_at IS NULL THEN NEW.registry_id END, CASE WHEN NEW.state = 'new' THEN 1 ELSE 0 END -(CASE WHEN OLD.state = 'new' THEN 1 ELSE 0 END), CASE WHEN NEW.state = 'ok' THEN 1 ELSE 0 END -(CASE WHEN OLD.state = 'ok' THEN 1 ELSE 0 END), CASE WHEN NEW.state = 'partial' THEN 1 ELSE 0 END -(CASE WHEN OLD.state = 'partial' THEN 1 ELSE 0 END), CASE WHEN NEW.state = 'missing' THEN 1 ELSE 0 END -(CASE WHEN OLD.state = 'missing' THEN 1 ELSE 0 END), CASE WHEN NEW.state = 'unauthorized' THEN 1 ELSE 0 END -(CASE WHEN OLD.state = 'unauthorized' THEN 1 ELSE 0 END), CASE WHEN NEW.state = 'unreachable' THEN 1 ELSE 0 END -(CASE WHEN OLD.state = 'unreachable' THEN 1 ELSE 0 END), CASE WHEN NEW.state = 'error' THEN 1 ELSE 0 END -(CASE WHEN OLD.state = 'error' THEN 1 ELSE 0 END), CASE WHEN NEW.last_crawl_at IS NOT NULL THEN 1 ELSE 0 END -(CASE WHEN OLD.last_crawl_at IS NOT NULL THEN 1 ELSE 0 END), CASE WHEN NEW.held IS NOT NULL THEN 1 ELSE 0 END -(CASE WHEN OLD.held IS NOT NULL THEN 1 ELSE 0 END) WHERE CASE WHEN NEW.deleted_at IS NULL THEN NEW.registry_id END IS NOT NULL; RETURN NULL; END $$;
CREATE FUNCTION public.change_repository_summaries() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO registry_sums (registry_id, tags, tags_failed, with_image, summed_up, newest_high, newest_low, referenced_high, referenced_low, exclusive_high, exclusive_low) SELECT NEW.registry_id, NEW.tag_count -(OLD.tag_count), NEW.tags_failed -(OLD.tags_failed), CASE WHEN NEW.newest_compressed_bytes IS NOT NULL THEN 1 ELSE 0 END -(CASE WHEN OLD.newest_compressed_bytes IS NOT NULL THEN 1 ELSE 0 END), CASE WHEN NEW.referenced_bytes IS NOT NULL THEN 1 ELSE 0 END -(CASE WHEN OLD.referenced_bytes IS NOT NULL THEN 1 ELSE 0 END), coalesce(NEW.newest_compressed_bytes / 4294967296, 0) -(coalesce(OLD.newest_compressed_bytes / 4294967296, 0)), coalesce(NEW.newest_compressed_bytes % 4294967296, 0) -(coalesce(OLD.newest_compressed_bytes % 4294967296, 0)), coalesce(NEW.referenced_bytes / 4294967296, 0) -(coalesce(OLD.referenced_bytes / 4294967296, 0)), coalesce(NEW.referenced_bytes % 4294967296, 0) -(coalesce(OLD.referenced_bytes % 4294967296, 0)), coalesce(NEW.exclusive_bytes / 4294967296, 0) -(coalesce(OLD.exclusive_bytes / 4294967296, 0)), coalesce(NEW.exclusive_bytes % 4294967296, 0) -(coalesce(OLD.exclusive_bytes % 4294967296, 0)) WHERE NEW.registry_id IS NOT NULL; RETURN NULL; END $$;
CREATE FUNCTION public.change_storage_scopes() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO registry_sums (registry_id, images, weighed_high, weighed_low, deduplicated_high, deduplicated_low, shared_high, shared_low) SELECT NEW.registry_id, NEW.image_count -(OLD.image_count), coalesce(NEW.weighed_bytes / 4294967296, 0) -(coalesce(OLD.weighed_bytes / 4294967296, 0)), coalesce(NEW.weighed_bytes % 4294967296, 0) -(coalesce(OLD.weighed_bytes % 4294967296, 0)), coalesce(NEW.deduplicated_bytes / 4294967296, 0) -(coalesce(OLD.deduplicated_bytes / 4294967296, 0)), coalesce(NEW.deduplicated_bytes % 4294967296, 0) -(coalesce(OLD.deduplicated_bytes % 4294967296, 0)), coalesce(NEW.shared_bytes / 4294967296, 0) -(coalesce(OLD.shared_bytes / 4294967296, 0)), coalesce(NEW.shared_bytes % 4294967296, 0) -(coalesce(OLD.shared_bytes % 4294967296, 0)) WHERE NEW.registry_id IS NOT NULL; RETURN NULL; END $$;
CREATE FUNCTION public.move_repositories() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO registry_sums (registry_id, are_new, are_ok, are_partial, are_missing, are_unauthorized, are_unreachable, are_error, repositories, are_crawled, tags_held) SELECT CASE WHEN OLD.deleted_at IS NULL THEN OLD.registry_id END, -(CASE WHEN OLD.state = 'new' THEN 1 ELSE 0 END), -(CASE WHEN OLD.state = 'ok' THEN 1 ELSE 0 END), -(CASE WHEN OLD.state = 'partial' THEN 1 ELSE 0 END), -(CASE WHEN OLD.state = 'missing' THEN 1 ELSE 0 END), -(CASE WHEN OLD.state = 'unauthorized' THEN 1 ELSE 0 END), -(CASE WHEN OLD.state = 'unreachable' THEN 1 ELSE 0 END), -(CASE WHEN OLD.state = 'error' THEN 1 ELSE 0 END), -(1), -(CASE WHEN OLD.last_crawl_at IS NOT NULL THEN 1 ELSE 0 END), -(CASE WHEN OLD.held IS NOT NULL THEN 1 ELSE 0 END) WHERE CASE WHEN OLD.deleted_at IS NULL THEN OLD.registry_id END IS NOT NULL; INSERT INTO registry_sums (registry_id, are_new, are_ok, are_partial, are_missing, are_unauthorized, are_unreachable, are_error, repositories, are_crawled, tags_held) SELECT CASE WHEN NEW.deleted_at IS NULL THEN NEW.registry_id END, CASE WHEN NEW.state = 'new' THEN 1 ELSE 0 END, CASE WHEN NEW.state = 'ok' THEN 1 ELSE 0 END, CASE WHEN NEW.state = 'partial' THEN 1 ELSE 0 END, CASE WHEN NEW.state = 'missing' THEN 1 ELSE 0 END, CASE WHEN NEW.state = 'unauthorized' THEN 1 ELSE 0 END, CASE WHEN NEW.state = 'unreachable' THEN 1 ELSE 0 END, CASE WHEN NEW.state = 'error' THEN 1 ELSE 0 END, 1, CASE WHEN NEW.last_crawl_at IS NOT NULL THEN 1 ELSE 0 END, CASE WHEN NEW.held IS NOT NULL THEN 1 ELSE 0 END WHERE CASE WHEN NEW.deleted_at IS NULL THEN NEW.registry_id END IS NOT NULL; UPDATE repository_summaries SET registry_id = CASE WHEN NEW.deleted_at IS NULL THEN NEW.registry_id END WHERE repository_id = NEW.id; RETURN NULL; END $$;
CREATE FUNCTION public.move_repository_summaries() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO registry_sums (registry_id, tags, tags_failed, with_image, summed_up, newest_high, newest_low, referenced_high, referenced_low, exclusive_high, exclusive_low) SELECT OLD.registry_id, -(OLD.tag_count), -(OLD.tags_failed), -(CASE WHEN OLD.newest_compressed_bytes IS NOT NULL THEN 1 ELSE 0 END), -(CASE WHEN OLD.referenced_bytes IS NOT NULL THEN 1 ELSE 0 END), -(coalesce(OLD.newest_compressed_bytes / 4294967296, 0)), -(coalesce(OLD.newest_compressed_bytes % 4294967296, 0)), -(coalesce(OLD.referenced_bytes / 4294967296, 0)), -(coalesce(OLD.referenced_bytes % 4294967296, 0)), -(coalesce(OLD.exclusive_bytes / 4294967296, 0)), -(coalesce(OLD.exclusive_bytes % 4294967296, 0)) WHERE OLD.registry_id IS NOT NULL; INSERT INTO registry_sums (registry_id, tags, tags_failed, with_image, summed_up, newest_high, newest_low, referenced_high, referenced_low, exclusive_high, exclusive_low) SELECT NEW.registry_id, NEW.tag_count, NEW.tags_failed, CASE WHEN NEW.newest_compressed_bytes IS NOT NULL THEN 1 ELSE 0 END, CASE WHEN NEW.referenced_bytes IS NOT NULL THEN 1 ELSE 0 END, coalesce(NEW.newest_compressed_bytes / 4294967296, 0), coalesce(NEW.newest_compressed_bytes % 4294967296, 0), coalesce(NEW.referenced_bytes / 4294967296, 0), coalesce(NEW.referenced_bytes % 4294967296, 0), coalesce(NEW.exclusive_bytes / 4294967296, 0), coalesce(NEW.exclusive_bytes % 4294967296, 0) WHERE NEW.registry_id IS NOT NULL; RETURN NULL; END $$;
CREATE FUNCTION public.move_storage_scopes() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO registry_sums (registry_id, images, weighed_high, weighed_low, deduplicated_high, deduplicated_low, shared_high, shared_low) SELECT OLD.registry_id, -(OLD.image_count), -(coalesce(OLD.weighed_bytes / 4294967296, 0)), -(coalesce(OLD.weighed_bytes % 4294967296, 0)), -(coalesce(OLD.deduplicated_bytes / 4294967296, 0)), -(coalesce(OLD.deduplicated_bytes % 4294967296, 0)), -(coalesce(OLD.shared_bytes / 4294967296, 0)), -(coalesce(OLD.shared_bytes % 4294967296, 0)) WHERE OLD.registry_id IS NOT NULL; INSERT INTO registry_sums (registry_id, images, weighed_high, weighed_low, deduplicated_high, deduplicated_low, shared_high, shared_low) SELECT NEW.registry_id, NEW.image_count, coalesce(NEW.weighed_bytes / 4294967296, 0), coalesce(NEW.weighed_bytes % 4294967296, 0), coalesce(NEW.deduplicated_bytes / 4294967296, 0), coalesce(NEW.deduplicated_bytes % 4294967296, 0), coalesce(NEW.shared_bytes / 4294967296, 0), coalesce(NEW.shared_bytes % 4294967296, 0) WHERE NEW.registry_id IS NOT NULL; RETURN NULL; END $$;
CREATE FUNCTION public.note_repositories() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO registry_sums (registry_id, revision) SELECT 0, 1 WHERE 0 IS NOT NULL; RETURN NULL; END $$;
CREATE FUNCTION public.note_repository_summaries() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO registry_sums (registry_id, revision) SELECT 0, 1 WHERE 0 IS NOT NULL; RETURN NULL; END $$;
CREATE FUNCTION public.note_storage_scopes() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO registry_sums (registry_id, revision) SELECT 0, 1 WHERE 0 IS NOT NULL; RETURN NULL; END $$;
CREATE FUNCTION public.note_violations() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO registry_sums (registry_id, revision) SELECT 0, 1 WHERE 0 IS NOT NULL; RETURN NULL; END $$;
CREATE FUNCTION public.take_repositories() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO registry_sums (registry_id, are_new, are_ok, are_partial, are_missing, are_unauthorized, are_unreachable, are_error, repositories, are_crawled, tags_held) SELECT CASE WHEN OLD.deleted_at IS NULL THEN OLD.registry_id END, -(CASE WHEN OLD.state = 'new' THEN 1 ELSE 0 END), -(CASE WHEN OLD.state = 'ok' THEN 1 ELSE 0 END), -(CASE WHEN OLD.state = 'partial' THEN 1 ELSE 0 END), -(CASE WHEN OLD.state = 'missing' THEN 1 ELSE 0 END), -(CASE WHEN OLD.state = 'unauthorized' THEN 1 ELSE 0 END), -(CASE WHEN OLD.state = 'unreachable' THEN 1 ELSE 0 END), -(CASE WHEN OLD.state = 'error' THEN 1 ELSE 0 END), -(1), -(CASE WHEN OLD.last_crawl_at IS NOT NULL THEN 1 ELSE 0 END), -(CASE WHEN OLD.held IS NOT NULL THEN 1 ELSE 0 END) WHERE CASE WHEN OLD.deleted_at IS NULL THEN OLD.registry_id END IS NOT NULL; RETURN NULL; END $$;
CREATE FUNCTION public.take_repository_summaries() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO registry_sums (registry_id, tags, tags_failed, with_image, summed_up, newest_high, newest_low, referenced_high, referenced_low, exclusive_high, exclusive_low) SELECT OLD.registry_id, -(OLD.tag_count), -(OLD.tags_failed), -(CASE WHEN OLD.newest_compressed_bytes IS NOT NULL THEN 1 ELSE 0 END), -(CASE WHEN OLD.referenced_bytes IS NOT NULL THEN 1 ELSE 0 END), -(coalesce(OLD.newest_compressed_bytes / 4294967296, 0)), -(coalesce(OLD.newest_compressed_bytes % 4294967296, 0)), -(coalesce(OLD.referenced_bytes / 4294967296, 0)), -(coalesce(OLD.referenced_bytes % 4294967296, 0)), -(coalesce(OLD.exclusive_bytes / 4294967296, 0)), -(coalesce(OLD.exclusive_bytes % 4294967296, 0)) WHERE OLD.registry_id IS NOT NULL; RETURN NULL; END $$;
CREATE FUNCTION public.take_storage_scopes() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO registry_sums (registry_id, images, weighed_high, weighed_low, deduplicated_high, deduplicated_low, shared_high, shared_low) SELECT OLD.registry_id, -(OLD.image_count), -(coalesce(OLD.weighed_bytes / 4294967296, 0)), -(coalesce(OLD.weighed_bytes % 4294967296, 0)), -(coalesce(OLD.deduplicated_bytes / 4294967296, 0)), -(coalesce(OLD.deduplicated_bytes % 4294967296, 0)), -(coalesce(OLD.shared_bytes / 4294967296, 0)), -(coalesce(OLD.shared_bytes % 4294967296, 0)) WHERE OLD.registry_id IS NOT NULL; RETURN NULL; END $$;
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.artifacts (
    id bigint NOT NULL,
    role smallint NOT NULL,
    artifact_type text NOT NULL COLLATE pg_catalog."C",
    config_id bigint,
    stored_bytes bigint NOT NULL
);
CREATE TABLE public.audit_log (
    id bigint NOT NULL,
    at bigint NOT NULL,
    actor text NOT NULL COLLATE pg_catalog."C",
    act text NOT NULL COLLATE pg_catalog."C",
    subject text NOT NULL COLLATE pg_catalog."C",
    detail text NOT NULL COLLATE pg_catalog."C"
);
CREATE SEQUENCE public.audit_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.audit_log_id_seq OWNED BY public.audit_log.id;
CREATE TABLE public.base_chains (
    id bigint NOT NULL,
    chain bytea NOT NULL,
    layer_count integer NOT NULL,
    platform_id bigint,
    compressed_bytes bigint NOT NULL,
    image_id bigint,
    history bytea NOT NULL,
    line_count integer NOT NULL,
    is_swept boolean NOT NULL,
    first_seen_at bigint NOT NULL,
    last_seen_at bigint NOT NULL
);
CREATE SEQUENCE public.base_chains_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.base_chains_id_seq OWNED BY public.base_chains.id;
CREATE TABLE public.base_names (
    id bigint NOT NULL,
    base_chain_id bigint NOT NULL,
    host text NOT NULL COLLATE pg_catalog."C",
    repository text NOT NULL COLLATE pg_catalog."C",
    tag text NOT NULL COLLATE pg_catalog."C",
    digest bytea NOT NULL,
    index_digest bytea,
    first_seen_at bigint NOT NULL,
    last_seen_at bigint NOT NULL,
    left_at bigint
);
CREATE SEQUENCE public.base_names_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.base_names_id_seq OWNED BY public.base_names.id;
CREATE TABLE public.base_readings (
    host text NOT NULL COLLATE pg_catalog."C",
    repository text NOT NULL COLLATE pg_catalog."C",
    registry text NOT NULL COLLATE pg_catalog."C",
    tags_wanted integer,
    tags_read integer NOT NULL,
    code text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL COLLATE pg_catalog."C",
    failing_since bigint,
    tried_at bigint,
    read_at bigint
);
CREATE TABLE public.base_repositories (
    repository_id bigint NOT NULL,
    host text NOT NULL COLLATE pg_catalog."C",
    repository text NOT NULL COLLATE pg_catalog."C",
    is_recorded boolean NOT NULL
);
CREATE TABLE public.base_savings (
    base_chain_id bigint NOT NULL,
    base text NOT NULL COLLATE pg_catalog."C",
    base_bytes bigint NOT NULL,
    kind smallint NOT NULL,
    variant text NOT NULL COLLATE pg_catalog."C",
    variant_bytes bigint NOT NULL,
    saved_bytes bigint NOT NULL
);
CREATE TABLE public.base_summaries (
    id bigint NOT NULL,
    reference text NOT NULL COLLATE pg_catalog."C",
    state smallint NOT NULL,
    outdated_since bigint,
    base_chain_id bigint,
    image_count bigint NOT NULL,
    outdated_image_count bigint,
    claimed_count bigint NOT NULL,
    repository_count bigint NOT NULL,
    newest_count bigint NOT NULL,
    outdated_newest_count bigint,
    build_count bigint,
    weighed_bytes bigint NOT NULL,
    base_bytes bigint,
    own_bytes bigint,
    stored_bytes bigint,
    builds text NOT NULL COLLATE pg_catalog."C",
    changed_at bigint NOT NULL,
    saved_bytes bigint,
    saving_chain_id bigint,
    saving_image_count bigint,
    saving_repository_count bigint,
    saved_stored_bytes bigint
);
CREATE SEQUENCE public.base_summaries_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.base_summaries_id_seq OWNED BY public.base_summaries.id;
CREATE TABLE public.blob_changes (
    id bigint NOT NULL,
    scope_id bigint NOT NULL,
    blob_id bigint NOT NULL
);
CREATE SEQUENCE public.blob_changes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.blob_changes_id_seq OWNED BY public.blob_changes.id;
CREATE TABLE public.blob_sizes (
    scope_id bigint NOT NULL,
    blob_id bigint NOT NULL,
    registry_bytes bigint,
    claim_reason text COLLATE pg_catalog."C",
    seen_format smallint,
    uncompressed_confidence smallint,
    uncompressed_bytes bigint,
    uncompressed_low_bytes bigint,
    uncompressed_high_bytes bigint,
    uncompressed_reason text COLLATE pg_catalog."C",
    asked_at bigint NOT NULL,
    attempts integer NOT NULL,
    ask_again_at bigint
);
CREATE TABLE public.blobs (
    id bigint NOT NULL,
    digest bytea NOT NULL,
    compressed_bytes bigint,
    read_bytes bigint,
    counted_bytes bigint NOT NULL,
    is_known boolean NOT NULL,
    media_type_id bigint,
    is_layer boolean NOT NULL,
    is_foreign boolean NOT NULL,
    has_conflict boolean NOT NULL,
    has_format_conflict boolean NOT NULL,
    is_uncounted boolean NOT NULL,
    facts_state smallint NOT NULL,
    facts_code text COLLATE pg_catalog."C"
);
CREATE SEQUENCE public.blobs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.blobs_id_seq OWNED BY public.blobs.id;
CREATE TABLE public.channel_paces (
    channel text NOT NULL COLLATE pg_catalog."C",
    begun text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.crawl_chunks (
    crawl_id bigint NOT NULL,
    "position" integer NOT NULL,
    step integer NOT NULL,
    names text NOT NULL COLLATE pg_catalog."C",
    tags text COLLATE pg_catalog."C",
    found text COLLATE pg_catalog."C",
    lease_until bigint,
    lease_owner text COLLATE pg_catalog."C"
);
CREATE TABLE public.crawl_requests (
    id bigint NOT NULL,
    registry_id bigint NOT NULL,
    repositories text COLLATE pg_catalog."C",
    measures boolean NOT NULL,
    asked_at bigint NOT NULL,
    after_crawl_id bigint NOT NULL,
    owner text COLLATE pg_catalog."C",
    lease_until bigint,
    state text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL COLLATE pg_catalog."C",
    known bigint,
    crawled_at bigint,
    ended_at bigint,
    complete bigint,
    partial bigint,
    failed bigint,
    tags bigint,
    requests bigint,
    bytes_read bigint
);
CREATE SEQUENCE public.crawl_requests_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.crawl_requests_id_seq OWNED BY public.crawl_requests.id;
CREATE TABLE public.crawls (
    id bigint NOT NULL,
    repository_id bigint NOT NULL,
    registry_id bigint NOT NULL,
    started_at bigint NOT NULL,
    ended_at bigint,
    state text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL COLLATE pg_catalog."C",
    tags_seen bigint NOT NULL,
    tags_new bigint NOT NULL,
    tags_moved bigint NOT NULL,
    tags_deleted bigint NOT NULL,
    tags_failed bigint NOT NULL,
    invalid_tags bigint NOT NULL,
    requests bigint NOT NULL,
    bytes_read bigint NOT NULL,
    resumes integer NOT NULL,
    overtaken text COLLATE pg_catalog."C"
);
CREATE SEQUENCE public.crawls_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.crawls_id_seq OWNED BY public.crawls.id;
CREATE TABLE public.disputes (
    id bigint NOT NULL,
    scope_id bigint NOT NULL,
    manifest_id bigint NOT NULL,
    blob_id bigint NOT NULL,
    source smallint NOT NULL,
    claimed_bytes bigint NOT NULL,
    seen_at bigint NOT NULL
);
CREATE SEQUENCE public.disputes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.disputes_id_seq OWNED BY public.disputes.id;
CREATE TABLE public.image_bases (
    image_id bigint NOT NULL,
    base_chain_id bigint,
    relation smallint,
    found_by smallint,
    reference text COLLATE pg_catalog."C",
    digest bytea
);
CREATE TABLE public.images (
    id bigint NOT NULL,
    platform_id bigint NOT NULL,
    config_id bigint NOT NULL,
    created_at bigint,
    compressed_bytes bigint NOT NULL,
    stored_bytes bigint NOT NULL,
    layer_count integer NOT NULL,
    history_alignment smallint NOT NULL,
    problems text COLLATE pg_catalog."C"
);
CREATE TABLE public.manifest_sizes (
    scope_id bigint NOT NULL,
    manifest_id bigint NOT NULL,
    stored_bytes bigint NOT NULL,
    compressed_bytes bigint,
    compressed_confidence smallint,
    uncompressed_bytes bigint,
    uncompressed_confidence smallint,
    is_whole boolean NOT NULL,
    is_changed boolean NOT NULL
);
CREATE TABLE public.platforms (
    id bigint NOT NULL,
    text text NOT NULL COLLATE pg_catalog."C",
    os text NOT NULL COLLATE pg_catalog."C",
    architecture text NOT NULL COLLATE pg_catalog."C",
    variant text NOT NULL COLLATE pg_catalog."C",
    os_version text NOT NULL COLLATE pg_catalog."C"
);
CREATE VIEW public.image_facts AS
 SELECT DISTINCT (
        CASE length(blobs.digest)
            WHEN 32 THEN 'sha256:'::text
            ELSE 'sha512:'::text
        END || encode(blobs.digest, 'hex'::text)) AS digest,
    platforms.text AS platform,
    COALESCE(sizes.compressed_bytes, images.compressed_bytes) AS compressed_bytes,
    sizes.uncompressed_bytes,
        CASE sizes.uncompressed_confidence
            WHEN 0 THEN 'exact'::text
            WHEN 1 THEN 'trailer'::text
            WHEN 2 THEN 'annotation'::text
            WHEN 3 THEN 'estimate'::text
            WHEN 4 THEN 'unknown'::text
            ELSE NULL::text
        END AS uncompressed_confidence
   FROM (((public.images
     JOIN public.blobs ON ((blobs.id = images.id)))
     JOIN public.platforms ON ((platforms.id = images.platform_id)))
     LEFT JOIN public.manifest_sizes sizes ON ((sizes.manifest_id = images.id)));
CREATE TABLE public.index_members (
    index_id bigint NOT NULL,
    "position" smallint NOT NULL,
    child_id bigint NOT NULL,
    role smallint NOT NULL,
    platform_id bigint
);
CREATE TABLE public.instructions (
    id bigint NOT NULL,
    text_digest bytea NOT NULL,
    text text NOT NULL COLLATE pg_catalog."C"
);
CREATE SEQUENCE public.instructions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.instructions_id_seq OWNED BY public.instructions.id;
CREATE TABLE public.jobs (
    job text NOT NULL COLLATE pg_catalog."C",
    argument text NOT NULL COLLATE pg_catalog."C",
    due_at bigint NOT NULL,
    lease_until bigint,
    lease_owner text COLLATE pg_catalog."C",
    attempts integer NOT NULL,
    done_at bigint
);
CREATE TABLE public.layers (
    image_id bigint NOT NULL,
    "position" smallint NOT NULL,
    is_foreign boolean NOT NULL,
    blob_id bigint NOT NULL,
    claimed_bytes bigint,
    media_type_id bigint,
    annotated_uncompressed_bytes bigint
);
CREATE TABLE public.lines (
    image_id bigint NOT NULL,
    entries text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.media_types (
    id bigint NOT NULL,
    text text NOT NULL COLLATE pg_catalog."C"
);
CREATE SEQUENCE public.media_types_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.media_types_id_seq OWNED BY public.media_types.id;
CREATE TABLE public.notification_groups (
    id bigint NOT NULL,
    channel text NOT NULL COLLATE pg_catalog."C",
    group_key bytea NOT NULL,
    is_cause boolean NOT NULL,
    about text NOT NULL COLLATE pg_catalog."C",
    wait_s integer NOT NULL,
    interval_s integer NOT NULL,
    next_at bigint,
    last_sent_at bigint,
    messages integer NOT NULL,
    attempts integer NOT NULL,
    failing_since bigint,
    error_code text COLLATE pg_catalog."C",
    lease_until bigint,
    lease_owner text COLLATE pg_catalog."C"
);
CREATE SEQUENCE public.notification_groups_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.notification_groups_id_seq OWNED BY public.notification_groups.id;
CREATE TABLE public.notifications (
    id bigint NOT NULL,
    group_id bigint NOT NULL,
    violation_id bigint NOT NULL,
    event text NOT NULL COLLATE pg_catalog."C",
    created_at bigint NOT NULL,
    message_key text COLLATE pg_catalog."C",
    sent_at bigint,
    given_up_at bigint,
    dropped_for text COLLATE pg_catalog."C"
);
CREATE SEQUENCE public.notifications_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.notifications_id_seq OWNED BY public.notifications.id;
CREATE TABLE public.over_tags (
    repository_id bigint NOT NULL,
    tag_id bigint NOT NULL,
    platform text NOT NULL COLLATE pg_catalog."C",
    limit_key text NOT NULL COLLATE pg_catalog."C",
    policy text NOT NULL COLLATE pg_catalog."C",
    team text COLLATE pg_catalog."C",
    severity text NOT NULL COLLATE pg_catalog."C",
    image_id bigint NOT NULL,
    limit_amount bigint NOT NULL,
    amount bigint NOT NULL
);
CREATE SEQUENCE public.platforms_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.platforms_id_seq OWNED BY public.platforms.id;
CREATE TABLE public.pull_months (
    month integer NOT NULL,
    repository_id bigint NOT NULL,
    pulls bigint,
    low_bytes bigint,
    high_bytes bigint,
    is_estimate boolean NOT NULL,
    counted_from bigint NOT NULL,
    counted_until bigint NOT NULL
);
CREATE TABLE public.pushes (
    id bigint NOT NULL,
    registry text NOT NULL COLLATE pg_catalog."C",
    source text NOT NULL COLLATE pg_catalog."C",
    event_key bytea NOT NULL,
    repository text NOT NULL COLLATE pg_catalog."C",
    tag text COLLATE pg_catalog."C",
    digest bytea,
    is_delete boolean NOT NULL,
    pushed_at bigint,
    received_at bigint NOT NULL,
    due_at bigint NOT NULL,
    attempts integer NOT NULL,
    done_at bigint,
    outcome text NOT NULL COLLATE pg_catalog."C"
);
CREATE SEQUENCE public.pushes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.pushes_id_seq OWNED BY public.pushes.id;
CREATE TABLE public.registries (
    id bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    url text NOT NULL COLLATE pg_catalog."C",
    address text NOT NULL COLLATE pg_catalog."C",
    storage_scope text NOT NULL COLLATE pg_catalog."C",
    address_class text COLLATE pg_catalog."C",
    interval_s integer NOT NULL,
    state text NOT NULL COLLATE pg_catalog."C",
    state_reason text NOT NULL COLLATE pg_catalog."C",
    state_since bigint NOT NULL,
    last_discovery_at bigint,
    last_complete_discovery_at bigint,
    held text COLLATE pg_catalog."C",
    removals_held integer NOT NULL,
    false_head_at bigint,
    requests bigint NOT NULL,
    bytes_read bigint NOT NULL,
    rate_limit bigint,
    rate_limit_remaining bigint,
    rate_limit_window_s bigint,
    rate_limit_seen_at bigint,
    revision bigint NOT NULL,
    kind_found text COLLATE pg_catalog."C",
    kind_sign text COLLATE pg_catalog."C"
);
CREATE SEQUENCE public.registries_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.registries_id_seq OWNED BY public.registries.id;
CREATE TABLE public.registry_sums (
    id bigint NOT NULL,
    registry_id bigint NOT NULL,
    revision bigint,
    repositories bigint,
    are_new bigint,
    are_ok bigint,
    are_partial bigint,
    are_missing bigint,
    are_unauthorized bigint,
    are_unreachable bigint,
    are_error bigint,
    are_crawled bigint,
    tags_held bigint,
    tags bigint,
    tags_failed bigint,
    with_image bigint,
    summed_up bigint,
    images bigint,
    newest_high bigint,
    newest_low bigint,
    referenced_high bigint,
    referenced_low bigint,
    exclusive_high bigint,
    exclusive_low bigint,
    weighed_high bigint,
    weighed_low bigint,
    deduplicated_high bigint,
    deduplicated_low bigint,
    shared_high bigint,
    shared_low bigint
);
CREATE SEQUENCE public.registry_sums_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.registry_sums_id_seq OWNED BY public.registry_sums.id;
CREATE TABLE public.repositories (
    id bigint NOT NULL,
    registry_id bigint NOT NULL,
    scope_id bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    state_reason text NOT NULL COLLATE pg_catalog."C",
    state_since bigint NOT NULL,
    deleted_at bigint,
    due_at bigint NOT NULL,
    lease_until bigint,
    lease_owner text COLLATE pg_catalog."C",
    fence bigint NOT NULL,
    attempts integer NOT NULL,
    complete_crawls bigint NOT NULL,
    missing_crawls integer NOT NULL,
    was_listed boolean NOT NULL,
    is_silent boolean NOT NULL,
    held text COLLATE pg_catalog."C",
    last_crawl_at bigint,
    last_complete_crawl_at bigint,
    requests bigint NOT NULL,
    bytes_read bigint NOT NULL,
    revision bigint NOT NULL
)
WITH (fillfactor='85');
CREATE SEQUENCE public.repositories_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.repositories_id_seq OWNED BY public.repositories.id;
CREATE TABLE public.repository_blobs (
    scope_id bigint NOT NULL,
    blob_id bigint NOT NULL,
    repository_id bigint NOT NULL,
    manifest_count integer NOT NULL
)
WITH (fillfactor='85');
CREATE TABLE public.repository_manifests (
    repository_id bigint NOT NULL,
    manifest_id bigint NOT NULL,
    tag_count integer NOT NULL,
    index_count integer NOT NULL
)
WITH (fillfactor='85');
CREATE TABLE public.repository_pulls (
    repository_id bigint NOT NULL,
    pulls bigint NOT NULL,
    counts smallint NOT NULL,
    window_s bigint,
    first_seen_at bigint NOT NULL,
    seen_at bigint NOT NULL,
    counted_until bigint NOT NULL
);
CREATE TABLE public.repository_savings (
    repository_id bigint NOT NULL,
    registry_id bigint NOT NULL,
    image_id bigint NOT NULL,
    base_chain_id bigint NOT NULL,
    saved_bytes bigint NOT NULL
);
CREATE TABLE public.repository_summaries (
    repository_id bigint NOT NULL,
    registry_id bigint,
    tag_count bigint NOT NULL,
    image_count bigint NOT NULL,
    tags_failed bigint NOT NULL,
    newest_tag text COLLATE pg_catalog."C",
    newest_image_id bigint,
    newest_platform text COLLATE pg_catalog."C",
    newest_by text COLLATE pg_catalog."C",
    newest_at bigint,
    newest_compressed_bytes bigint,
    newest_compressed_confidence smallint,
    newest_uncompressed_bytes bigint,
    newest_uncompressed_confidence smallint,
    newest_layers integer,
    baseline_compressed_bytes bigint,
    heaviest_instruction_id bigint,
    heaviest_compressed_bytes bigint,
    largest_compressed_bytes bigint,
    referenced_bytes bigint,
    weighed_bytes bigint,
    deduplicated_bytes bigint NOT NULL,
    exclusive_bytes bigint NOT NULL,
    is_stale boolean NOT NULL,
    is_uncounted boolean NOT NULL,
    is_unmeasured boolean NOT NULL,
    changed_at bigint NOT NULL,
    revision bigint NOT NULL,
    over_tags bigint NOT NULL,
    limits_mark text NOT NULL COLLATE pg_catalog."C",
    over_waits boolean NOT NULL
)
WITH (fillfactor='85');
CREATE TABLE public.scope_blobs (
    scope_id bigint NOT NULL,
    blob_id bigint NOT NULL,
    sole_repository_id bigint
)
WITH (fillfactor='85');
CREATE TABLE public.storage_months (
    month integer NOT NULL,
    repository_id bigint NOT NULL,
    byte_days bigint NOT NULL,
    days integer NOT NULL,
    last_day integer NOT NULL
);
CREATE TABLE public.storage_scopes (
    id bigint NOT NULL,
    registry_id bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    image_count bigint NOT NULL,
    weighed_bytes bigint NOT NULL,
    deduplicated_bytes bigint NOT NULL,
    shared_bytes bigint NOT NULL,
    revision bigint NOT NULL
)
WITH (fillfactor='85');
CREATE SEQUENCE public.storage_scopes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.storage_scopes_id_seq OWNED BY public.storage_scopes.id;
CREATE TABLE public.tag_moves (
    tag_id bigint NOT NULL,
    seen_from bigint NOT NULL,
    target_id bigint NOT NULL,
    seen_until bigint,
    pushed_at bigint
);
CREATE TABLE public.tag_pulls (
    tag_id bigint NOT NULL,
    pulled_at bigint NOT NULL,
    seen_at bigint NOT NULL
);
CREATE TABLE public.tags (
    id bigint NOT NULL,
    repository_id bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    natural_key text NOT NULL COLLATE pg_catalog."C",
    target_id bigint,
    first_seen_at bigint NOT NULL,
    moved_at bigint,
    pushed_at bigint,
    deleted_at bigint,
    error_code text COLLATE pg_catalog."C",
    error_message text COLLATE pg_catalog."C",
    error_digest bytea,
    error_at bigint
)
WITH (fillfactor='85');
CREATE SEQUENCE public.tags_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.tags_id_seq OWNED BY public.tags.id;
CREATE TABLE public.tokens (
    id bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    role text NOT NULL COLLATE pg_catalog."C",
    sha256 bytea NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    last_used_at bigint,
    revoked_at bigint,
    teams text COLLATE pg_catalog."C",
    previous_sha256 bytea,
    previous_until bigint,
    renewed_at bigint
);
CREATE SEQUENCE public.tokens_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.tokens_id_seq OWNED BY public.tokens.id;
CREATE TABLE public.touched_manifests (
    id bigint NOT NULL,
    manifest_id bigint
);
CREATE SEQUENCE public.touched_manifests_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.touched_manifests_id_seq OWNED BY public.touched_manifests.id;
CREATE TABLE public.unjudged (
    repository_id bigint NOT NULL,
    tag_id bigint NOT NULL,
    is_silent boolean NOT NULL,
    is_weighed boolean NOT NULL
);
CREATE TABLE public.violations (
    id bigint NOT NULL,
    repository_id bigint NOT NULL,
    stream text NOT NULL COLLATE pg_catalog."C",
    platform text NOT NULL COLLATE pg_catalog."C",
    policy text NOT NULL COLLATE pg_catalog."C",
    limit_key text NOT NULL COLLATE pg_catalog."C",
    team text COLLATE pg_catalog."C",
    severity text NOT NULL COLLATE pg_catalog."C",
    tag text COLLATE pg_catalog."C",
    image_id bigint,
    digest bytea,
    limit_amount bigint NOT NULL,
    amount bigint NOT NULL,
    baseline_compressed_bytes bigint,
    before_image_id bigint,
    before_compressed_bytes bigint,
    cause_key bytea,
    cause text COLLATE pg_catalog."C",
    is_silent boolean NOT NULL,
    notified_amount bigint,
    opened_at bigint NOT NULL,
    pushed_at bigint,
    changed_at bigint NOT NULL,
    closed_at bigint,
    closed_by text COLLATE pg_catalog."C",
    within_tag text COLLATE pg_catalog."C",
    within_image_id bigint,
    within_digest bytea,
    within_amount bigint
);
CREATE SEQUENCE public.violations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.violations_id_seq OWNED BY public.violations.id;
CREATE TABLE public.waivers (
    id bigint NOT NULL,
    registry text NOT NULL COLLATE pg_catalog."C",
    repository text NOT NULL COLLATE pg_catalog."C",
    tag text NOT NULL COLLATE pg_catalog."C",
    limit_key text COLLATE pg_catalog."C",
    reason text NOT NULL COLLATE pg_catalog."C",
    author text NOT NULL COLLATE pg_catalog."C",
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    revoked_at bigint,
    revoked_by text COLLATE pg_catalog."C"
);
CREATE SEQUENCE public.waivers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.waivers_id_seq OWNED BY public.waivers.id;
ALTER TABLE ONLY public.audit_log ALTER COLUMN id SET DEFAULT nextval('public.audit_log_id_seq'::regclass);
ALTER TABLE ONLY public.base_chains ALTER COLUMN id SET DEFAULT nextval('public.base_chains_id_seq'::regclass);
ALTER TABLE ONLY public.base_names ALTER COLUMN id SET DEFAULT nextval('public.base_names_id_seq'::regclass);
ALTER TABLE ONLY public.base_summaries ALTER COLUMN id SET DEFAULT nextval('public.base_summaries_id_seq'::regclass);
ALTER TABLE ONLY public.blob_changes ALTER COLUMN id SET DEFAULT nextval('public.blob_changes_id_seq'::regclass);
ALTER TABLE ONLY public.blobs ALTER COLUMN id SET DEFAULT nextval('public.blobs_id_seq'::regclass);
ALTER TABLE ONLY public.crawl_requests ALTER COLUMN id SET DEFAULT nextval('public.crawl_requests_id_seq'::regclass);
ALTER TABLE ONLY public.crawls ALTER COLUMN id SET DEFAULT nextval('public.crawls_id_seq'::regclass);
ALTER TABLE ONLY public.disputes ALTER COLUMN id SET DEFAULT nextval('public.disputes_id_seq'::regclass);
ALTER TABLE ONLY public.instructions ALTER COLUMN id SET DEFAULT nextval('public.instructions_id_seq'::regclass);
ALTER TABLE ONLY public.media_types ALTER COLUMN id SET DEFAULT nextval('public.media_types_id_seq'::regclass);
ALTER TABLE ONLY public.notification_groups ALTER COLUMN id SET DEFAULT nextval('public.notification_groups_id_seq'::regclass);
ALTER TABLE ONLY public.notifications ALTER COLUMN id SET DEFAULT nextval('public.notifications_id_seq'::regclass);
ALTER TABLE ONLY public.platforms ALTER COLUMN id SET DEFAULT nextval('public.platforms_id_seq'::regclass);
ALTER TABLE ONLY public.pushes ALTER COLUMN id SET DEFAULT nextval('public.pushes_id_seq'::regclass);
ALTER TABLE ONLY public.registries ALTER COLUMN id SET DEFAULT nextval('public.registries_id_seq'::regclass);
ALTER TABLE ONLY public.registry_sums ALTER COLUMN id SET DEFAULT nextval('public.registry_sums_id_seq'::regclass);
ALTER TABLE ONLY public.repositories ALTER COLUMN id SET DEFAULT nextval('public.repositories_id_seq'::regclass);
ALTER TABLE ONLY public.storage_scopes ALTER COLUMN id SET DEFAULT nextval('public.storage_scopes_id_seq'::regclass);
ALTER TABLE ONLY public.tags ALTER COLUMN id SET DEFAULT nextval('public.tags_id_seq'::regclass);
ALTER TABLE ONLY public.tokens ALTER COLUMN id SET DEFAULT nextval('public.tokens_id_seq'::regclass);
ALTER TABLE ONLY public.touched_manifests ALTER COLUMN id SET DEFAULT nextval('public.touched_manifests_id_seq'::regclass);
ALTER TABLE ONLY public.violations ALTER COLUMN id SET DEFAULT nextval('public.violations_id_seq'::regclass);
ALTER TABLE ONLY public.waivers ALTER COLUMN id SET DEFAULT nextval('public.waivers_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES
	('0009');
INSERT INTO public.audit_log VALUES
	(1, 1796307507151497, 'cli:root', 'token.create', 'grafana', 'read'),
	(2, 1796307510886686, 'cli:root', 'waiver.create', 'near/load/r00001:t0000002', 'max_compressed until 2027-01-02 14:18 UTC: until it is smaller');
INSERT INTO public.blob_sizes VALUES
	(1, 1, 13918732, NULL, 0, 1, 34797056, 34797056, 34797056, '', 1796307501285323, 0, NULL),
	(1, 2, 18773079, NULL, 0, 1, 46932992, 46932992, 46932992, '', 1796307501285323, 0, NULL),
	(1, 5, 15974639, NULL, 0, 1, 39937024, 39937024, 39937024, '', 1796307501285323, 0, NULL),
	(1, 6, 8173516, NULL, 0, 1, 20433920, 20433920, 20433920, '', 1796307501285323, 0, NULL),
	(1, 7, 2574202, NULL, 0, 1, 6435840, 6435840, 6435840, '', 1796307501285323, 0, NULL),
	(1, 8, 7576885, NULL, 0, 1, 18942464, 18942464, 18942464, '', 1796307501285323, 0, NULL),
	(1, 10, 16865508, NULL, 0, 1, 42164224, 42164224, 42164224, '', 1796307501285323, 0, NULL),
	(1, 13, 9064385, NULL, 0, 1, 22661120, 22661120, 22661120, '', 1796307501285323, 0, NULL),
	(1, 14, 21719855, NULL, 0, 1, 54299648, 54299648, 54299648, '', 1796307501285323, 0, NULL),
	(1, 16, 23775762, NULL, 0, 1, 59439616, 59439616, 59439616, '', 1796307501285323, 0, NULL),
	(1, 17, 9083388, NULL, 0, 1, 22708736, 22708736, 22708736, '', 1796307501285323, 0, NULL),
	(1, 18, 18792082, NULL, 0, 1, 46980608, 46980608, 46980608, '', 1796307501285323, 0, NULL),
	(1, 20, 13937735, NULL, 0, 1, 34844672, 34844672, 34844672, '', 1796307501285323, 0, NULL),
	(1, 21, 16884511, NULL, 0, 1, 42211328, 42211328, 42211328, '', 1796307501285323, 0, NULL),
	(1, 26, 21738858, NULL, 0, 1, 54347264, 54347264, 54347264, '', 1796307501285323, 0, NULL),
	(1, 28, 2593205, NULL, 0, 1, 6483456, 6483456, 6483456, '', 1796307501285323, 0, NULL),
	(1, 29, 23627426, NULL, 0, 1, 59068928, 59068928, 59068928, '', 1796307504898894, 0, NULL),
	(1, 32, 7428549, NULL, 0, 1, 18571776, 18571776, 18571776, '', 1796307504898894, 0, NULL);
INSERT INTO public.blobs VALUES
	(1, '\x10db3eb5d7f829484db903445909ef025b44fbca000000000000000001000005', 13918732, NULL, 13918732, false, 2, true, false, false, false, false, 0, NULL),
	(2, '\x12746de2c3896ccd96f1fdfb1752de00eb9bbbbe000000000000000002000005', 18773079, NULL, 18773079, false, 2, true, false, false, false, false, 0, NULL),
	(3, '\x219cac7cdce8cb2d57de62c6c7e08712cf3c702588b8b3408f63eb2c698b67ef', 1199, 1199, 1199, true, 3, false, false, false, false, false, 2, NULL),
	(4, '\x22ae119cd5a13db1c3471619b7ff2b1c6efb7faae586a52a34e51b132484305d', 1335, 1335, 1335, true, 1, false, false, false, false, false, 0, NULL),
	(5, '\x2ce984bb5300c4449a6494e2fbc2d542f92fb6b0ffffffff0000000000000002', 15974639, NULL, 15974639, false, 2, true, false, false, false, false, 0, NULL),
	(6, '\x544c621450830e9341cb247f5746b1789e980183ffffffff0000000000000003', 8173516, NULL, 8173516, false, 2, true, false, false, false, false, 0, NULL),
	(7, '\x609f4789a67ca829c8011d922f707d801d919e54000000000000000002000004', 2574202, NULL, 2574202, false, 2, true, false, false, false, false, 0, NULL),
	(8, '\x62b8b78b8cca816c490fb5ee898d17f2c2dc0e87ffffffff0000000000000000', 7576885, NULL, 7576885, false, 2, true, false, false, false, false, 0, NULL),
	(9, '\x71f0d67377074d396c8fd4ebed77889c19da9ff1f7ee5a4db3add7abc5cde2b6', 1199, 1199, 1199, true, 3, false, false, false, false, false, 2, NULL),
	(10, '\x74ab4bce3d0b11b08199f0aee792a43087d02136000000000000000000000004', 16865508, NULL, 16865508, false, 2, true, false, false, false, false, 0, NULL),
	(11, '\x7c4f429fd4caf534a98049f708d7171db9d41ebdb5995a63f9e0e8e1c7851c7e', 1335, 1335, 1335, true, 1, false, false, false, false, false, 0, NULL),
	(12, '\x838aacc0ba1a81ae07c95dd179f3fa68a8768eb8eb28360fb0edfae1c448fbb9', 1200, 1200, 1200, true, 3, false, false, false, false, false, 2, NULL),
	(13, '\x89fd99f2fc6b6fb4cfbf29116cfe4493406dd010000000000000000000000005', 9064385, NULL, 9064385, false, 2, true, false, false, false, false, 0, NULL),
	(14, '\xaa17e5bc3639f32fee502e671ee6407c19f04136000000000000000001000004', 21719855, NULL, 21719855, false, 2, true, false, false, false, false, 0, NULL),
	(15, '\xd99e7fd6cd3467ecce0c9fed4a209ebaf464a01a7e713a3927b140d38e91f19b', 1335, 1335, 1335, true, 1, false, false, false, false, false, 0, NULL),
	(16, '\xebb138c558a0603b881c78ba31d40e02386a8682ffffffff0000000000000001', 23775762, NULL, 23775762, false, 2, true, false, false, false, false, 0, NULL),
	(17, '\x5822d2d502dbad7c1f4f0f197bcbbc57bc2f31c9000000010000000000000005', 9083388, NULL, 9083388, false, 2, true, false, false, false, false, 0, NULL),
	(18, '\x5df612a77dc23e36f50e3a16b2e8cf5a0c238fb9000000010000000002000005', 18792082, NULL, 18792082, false, 2, true, false, false, false, false, 0, NULL),
	(19, '\x6df34254aedd95a6d3c994abb19b7153d0779823dd566a94eab40d6a6230c1ba', 1335, 1335, 1335, true, 1, false, false, false, false, false, 0, NULL),
	(20, '\x7ecb0ddc7b1bf4ae8b6a08881d430502f1b1dfd0000000010000000001000005', 13937735, NULL, 13937735, false, 2, true, false, false, false, false, 0, NULL),
	(21, '\x8f26b7cf415c99aaf175be53f7c8b3af53e1e188000000010000000000000004', 16884511, NULL, 16884511, false, 2, true, false, false, false, false, 0, NULL),
	(22, '\x8fab707bb1453f7f608034226c0955bbbd8c6e9bc649c59d45b2f5cfa1569df6', 1199, 1199, 1199, true, 3, false, false, false, false, false, 2, NULL),
	(23, '\x9d3b7e69dc5d672596f3b16cd3515bf9cbea2a43dd06841d5144ff6276f692a5', 1335, 1335, 1335, true, 1, false, false, false, false, false, 0, NULL),
	(24, '\xb0c08404c61dd4769d51098cc90d9b0c0cfe0c8a5d37c60c04fdf9211013b801', 1200, 1200, 1200, true, 3, false, false, false, false, false, 2, NULL),
	(25, '\xb1742e588d26573e40be0b89255f5657efdb3146d3d86d918e89538ce2221f2a', 1335, 1335, 1335, true, 1, false, false, false, false, false, 0, NULL),
	(26, '\xcf8f29f0738915715e4e99e4937af992c17a3164000000010000000001000004', 21738858, NULL, 21738858, false, 2, true, false, false, false, false, 0, NULL),
	(27, '\xd97f3fe72bd835e7a6cafc133722b6274ee72c7082df5da9c8ed325ba0c29a5a', 1199, 1199, 1199, true, 3, false, false, false, false, false, 2, NULL),
	(28, '\xe6315501ad879d57fe4a764a0813f734b2d13b1b000000010000000002000004', 2593205, NULL, 2593205, false, 2, true, false, false, false, false, 0, NULL),
	(29, '\x33460a49ce6bde4f63c3b2017b8fec224ff1d0e3000000000000000003000005', 23627426, NULL, 23627426, false, 2, true, false, false, false, false, 0, NULL),
	(30, '\x547c8b1af19be7c340465d2afff8452c0c586296af06ddd65dde116301e7deda', 1199, 1199, 1199, true, 3, false, false, false, false, false, 2, NULL),
	(31, '\xae83274682d207dcf03751756ef0d274ccfad6823d58bd1b52162ecea47b7cfc', 1335, 1335, 1335, true, 1, false, false, false, false, false, 0, NULL),
	(32, '\xe6979eaf807cb9dfcee50e58ab147ed4eb2de591000000000000000003000004', 7428549, NULL, 7428549, false, 2, true, false, false, false, false, 0, NULL);
INSERT INTO public.channel_paces VALUES
	('hook', '[1796307505251673]');
INSERT INTO public.crawl_requests VALUES
	(1, 1, NULL, true, 1796307500511299, 0, '1e8029f8-bdf3-41ef-b246-b97e402d50f6:4026531836.11040.1849018/312cbe8f', 1796307530511299, 'done', '', 2, 1796307501182433, 1796307501389136, 2, 0, 0, 6, 14, 15334);
INSERT INTO public.crawls VALUES
	(1, 1, 1, 1796307500801852, 1796307500984234, 'ok', '', 3, 3, 0, 0, 0, 0, 7, 7667, 0, NULL),
	(2, 2, 1, 1796307500801852, 1796307500989577, 'ok', '', 3, 3, 0, 0, 0, 0, 7, 7667, 0, NULL);
INSERT INTO public.images VALUES
	(9, 1, 15, 1767254400000000, 81430695, 81433229, 6, 0, NULL),
	(12, 1, 11, 1769932800000000, 91139389, 91141924, 6, 0, NULL),
	(3, 1, 4, 1772352000000000, 76848083, 76850617, 6, 0, NULL),
	(27, 1, 23, 1767254400000000, 81468701, 81471235, 6, 0, NULL),
	(24, 1, 25, 1769932800000000, 91177395, 91179930, 6, 0, NULL),
	(22, 1, 19, 1772352000000000, 76886089, 76888623, 6, 0, NULL),
	(30, 1, 31, 1775030400000000, 86556777, 86559311, 6, 0, NULL);
INSERT INTO public.instructions VALUES
	(1, '\x0804d3af2e56e576c37845b7e6baadf7f399b6baf57128779edf05da02091bd6', 'RUN make step-0'),
	(2, '\x3855d4c7f9dc508ffc95e25a1ffb1107257aa930c319cbd7f6cf21aa775b3b6a', 'RUN make step-2'),
	(3, '\x510b0ef29c015a4fc8b90a55fa551aabb60c8d633de9b2730a0dc304f4d0e550', 'RUN make step-3'),
	(4, '\x75aec9941d4941e75937c67417c93751ee1d2a749e825234e69e2a24c17a5659', 'RUN make step-4'),
	(5, '\xdac5b31773087b3a01143d8885a923ce394ae9a838798a305bf9f6b1482b5a06', 'RUN make step-1'),
	(6, '\xea801b3d7ffa5edefa083644d4beace0de879582f8df991d8fe1161ee37ac608', 'RUN make step-5');
INSERT INTO public.jobs VALUES
	('weighbridge.discover', 'near', 1796311100558915, NULL, NULL, 0, 1796307501022888),
	('weighbridge.measure', 'near', 1796311101204101, NULL, NULL, 0, 1796307501378668),
	('write_check', '', 1796307504696092, NULL, NULL, 0, 1796307504696092),
	('weighbridge.tick', '', 1796307504655819, NULL, NULL, 0, 1796307504655819),
	('weighbridge.claims', '', 1796307501417310, NULL, NULL, 0, 1796307504815847),
	('weighbridge.bases', '', 1796307564799476, NULL, NULL, 0, 1796307504922644),
	('weighbridge.prune', '', 1796393904799185, NULL, NULL, 0, 1796307504923939);
INSERT INTO public.layers VALUES
	(9, 0, false, 8, NULL, NULL, NULL),
	(9, 1, false, 16, NULL, NULL, NULL),
	(9, 2, false, 5, NULL, NULL, NULL),
	(9, 3, false, 6, NULL, NULL, NULL),
	(9, 4, false, 10, NULL, NULL, NULL),
	(9, 5, false, 13, NULL, NULL, NULL),
	(12, 0, false, 8, NULL, NULL, NULL),
	(12, 1, false, 16, NULL, NULL, NULL),
	(12, 2, false, 5, NULL, NULL, NULL),
	(12, 3, false, 6, NULL, NULL, NULL),
	(12, 4, false, 14, NULL, NULL, NULL),
	(12, 5, false, 1, NULL, NULL, NULL),
	(3, 0, false, 8, NULL, NULL, NULL),
	(3, 1, false, 16, NULL, NULL, NULL),
	(3, 2, false, 5, NULL, NULL, NULL),
	(3, 3, false, 6, NULL, NULL, NULL),
	(3, 4, false, 7, NULL, NULL, NULL),
	(3, 5, false, 2, NULL, NULL, NULL),
	(27, 0, false, 8, NULL, NULL, NULL),
	(27, 1, false, 16, NULL, NULL, NULL),
	(27, 2, false, 5, NULL, NULL, NULL),
	(27, 3, false, 6, NULL, NULL, NULL),
	(27, 4, false, 21, NULL, NULL, NULL),
	(27, 5, false, 17, NULL, NULL, NULL),
	(24, 0, false, 8, NULL, NULL, NULL),
	(24, 1, false, 16, NULL, NULL, NULL),
	(24, 2, false, 5, NULL, NULL, NULL),
	(24, 3, false, 6, NULL, NULL, NULL),
	(24, 4, false, 26, NULL, NULL, NULL),
	(24, 5, false, 20, NULL, NULL, NULL),
	(22, 0, false, 8, NULL, NULL, NULL),
	(22, 1, false, 16, NULL, NULL, NULL),
	(22, 2, false, 5, NULL, NULL, NULL),
	(22, 3, false, 6, NULL, NULL, NULL),
	(22, 4, false, 28, NULL, NULL, NULL),
	(22, 5, false, 18, NULL, NULL, NULL),
	(30, 0, false, 8, NULL, NULL, NULL),
	(30, 1, false, 16, NULL, NULL, NULL),
	(30, 2, false, 5, NULL, NULL, NULL),
	(30, 3, false, 6, NULL, NULL, NULL),
	(30, 4, false, 32, NULL, NULL, NULL),
	(30, 5, false, 29, NULL, NULL, NULL);
INSERT INTO public.lines VALUES
	(9, '[[1,1767254400000000,0],[5,1767254400000000,1],[2,1767254400000000,2],[3,1767254400000000,3],[4,1767254400000000,4],[6,1767254400000000,5]]'),
	(12, '[[1,1769932800000000,0],[5,1769932800000000,1],[2,1769932800000000,2],[3,1769932800000000,3],[4,1769932800000000,4],[6,1769932800000000,5]]'),
	(3, '[[1,1772352000000000,0],[5,1772352000000000,1],[2,1772352000000000,2],[3,1772352000000000,3],[4,1772352000000000,4],[6,1772352000000000,5]]'),
	(27, '[[1,1767254400000000,0],[5,1767254400000000,1],[2,1767254400000000,2],[3,1767254400000000,3],[4,1767254400000000,4],[6,1767254400000000,5]]'),
	(24, '[[1,1769932800000000,0],[5,1769932800000000,1],[2,1769932800000000,2],[3,1769932800000000,3],[4,1769932800000000,4],[6,1769932800000000,5]]'),
	(22, '[[1,1772352000000000,0],[5,1772352000000000,1],[2,1772352000000000,2],[3,1772352000000000,3],[4,1772352000000000,4],[6,1772352000000000,5]]'),
	(30, '[[1,1775030400000000,0],[5,1775030400000000,1],[2,1775030400000000,2],[3,1775030400000000,3],[4,1775030400000000,4],[6,1775030400000000,5]]');
INSERT INTO public.manifest_sizes VALUES
	(1, 3, 76850617, 76848083, 0, 192121856, 1, true, false),
	(1, 9, 81433229, 81430695, 0, 203578368, 1, true, false),
	(1, 12, 91141924, 91139389, 0, 227849728, 1, true, false),
	(1, 22, 76888623, 76886089, 0, 192217088, 1, true, false),
	(1, 24, 91179930, 91177395, 0, 227944960, 1, true, false),
	(1, 27, 81471235, 81468701, 0, 203673088, 1, true, false),
	(1, 30, 86559311, 86556777, 0, 216393728, 1, true, false);
INSERT INTO public.media_types VALUES
	(1, 'application/vnd.oci.image.config.v1+json'),
	(2, 'application/vnd.oci.image.layer.v1.tar+gzip'),
	(3, 'application/vnd.oci.image.manifest.v1+json');
INSERT INTO public.notification_groups VALUES
	(1, 'hook', '\x6a765f081cc22c9daa1b01fb53823e5ac710591830ede29d6c3ad638b13a4169', false, 'registry near, repository load/r00000', 0, 300, NULL, 1796307505326128, 1, 0, NULL, NULL, NULL, NULL);
INSERT INTO public.notifications VALUES
	(1, 1, 1, 'opened', 1796307504969125, 'b4268aa0c7ed2f6ab14300a84b2174e57745388d', 1796307505326128, NULL, NULL);
INSERT INTO public.over_tags VALUES
	(1, 1, 'linux/amd64', 'max_compressed', 'small', NULL, 'warning', 9, 1000, 81430695),
	(1, 2, 'linux/amd64', 'max_compressed', 'small', NULL, 'warning', 12, 1000, 91139389),
	(1, 3, 'linux/amd64', 'max_compressed', 'small', NULL, 'warning', 3, 1000, 76848083),
	(2, 4, 'linux/amd64', 'max_compressed', 'small', NULL, 'warning', 27, 1000, 81468701),
	(2, 5, 'linux/amd64', 'max_compressed', 'small', NULL, 'warning', 24, 1000, 91177395),
	(2, 6, 'linux/amd64', 'max_compressed', 'small', NULL, 'warning', 22, 1000, 76886089),
	(1, 7, 'linux/amd64', 'max_compressed', 'small', NULL, 'warning', 30, 1000, 86556777);
INSERT INTO public.platforms VALUES
	(1, 'linux/amd64', 'linux', 'amd64', '', '');
INSERT INTO public.pushes VALUES
	(1, 'near', 'distribution', '\x9b5958eca0ab12ed3f96fed42e79e773f8b61d6abe1924b7e3e5c72992cbf68a', 'load/r00000', 't0000003', '\xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', false, NULL, 1796307504749637, 1796307505839154, 2, NULL, 'too_early');
INSERT INTO public.registries VALUES
	(1, 'near', 'distribution', 'http://127.0.0.1:46191', 'http://127.0.0.1:46191', 'registry', 'loopback', 3600, 'ok', '', 1796307501016086, 1796307500799789, 1796307500799789, NULL, 0, NULL, 39, 20581, NULL, NULL, NULL, NULL, 9, 'distribution', 'its answers show no other kind: /v2/ and /api/v2.0/systeminfo, /api/v1/discovery (of acr, dockerhub, ecr, ghcr, gitlab, google, harbor, quay)');
INSERT INTO public.registry_sums VALUES
	(1, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0),
	(2, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(3, 1, NULL, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(4, 1, NULL, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(5, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(6, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, NULL, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL),
	(7, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, NULL, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL),
	(8, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(9, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 3, 0, 0, 0, NULL, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL),
	(10, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 3, 0, 0, 0, NULL, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL),
	(11, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(12, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 1, 1, NULL, 0, 76848083, 0, 249425770, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL),
	(13, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 1, 1, NULL, 0, 76886089, 0, 249539788, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL),
	(14, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(15, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(16, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(17, 1, NULL, NULL, -1, 1, 0, 0, 0, 0, 0, 1, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(18, 1, NULL, NULL, -1, 1, 0, 0, 0, 0, 0, 1, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(19, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(20, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, NULL, 0, 0, 0, 0, 0, 82923364, NULL, NULL, NULL, NULL, NULL, NULL),
	(21, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, NULL, 0, 0, 0, 0, 0, 83037382, NULL, NULL, NULL, NULL, NULL, NULL),
	(22, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(23, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 6, NULL, NULL, NULL, NULL, NULL, NULL, 0, 498950352, 0, 221461548, 0, 55500802),
	(24, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(25, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(26, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(27, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(28, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(29, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(30, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(31, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, 0, 0, 0, NULL, 0, 0, 0, 86559311, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL),
	(32, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(33, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, NULL, 0, 9708694, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL),
	(34, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(35, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(36, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(37, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(38, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(39, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, NULL, 0, 0, 0, 0, 0, 31058509, NULL, NULL, NULL, NULL, NULL, NULL),
	(40, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(41, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, 0, 86556777, 0, 31058509, 0, 0),
	(42, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(43, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.repositories VALUES
	(2, 1, 1, 'load/r00001', 'ok', '', 1796307500989577, NULL, 1796311100989577, NULL, NULL, 1, 0, 1, 0, true, true, NULL, 1796307500989577, 1796307500989577, 7, 7667, 1),
	(1, 1, 1, 'load/r00000', 'ok', '', 1796307500984234, NULL, 1796311100984234, NULL, NULL, 3, 0, 1, 0, true, false, NULL, 1796307500984234, 1796307500984234, 12, 11544, 3);
INSERT INTO public.repository_blobs VALUES
	(1, 1, 1, 1),
	(1, 2, 1, 1),
	(1, 3, 1, 1),
	(1, 4, 1, 1),
	(1, 5, 2, 3),
	(1, 6, 2, 3),
	(1, 7, 1, 1),
	(1, 8, 2, 3),
	(1, 9, 1, 1),
	(1, 10, 1, 1),
	(1, 11, 1, 1),
	(1, 12, 1, 1),
	(1, 13, 1, 1),
	(1, 14, 1, 1),
	(1, 15, 1, 1),
	(1, 16, 2, 3),
	(1, 17, 2, 1),
	(1, 18, 2, 1),
	(1, 19, 2, 1),
	(1, 20, 2, 1),
	(1, 21, 2, 1),
	(1, 22, 2, 1),
	(1, 23, 2, 1),
	(1, 24, 2, 1),
	(1, 25, 2, 1),
	(1, 26, 2, 1),
	(1, 27, 2, 1),
	(1, 28, 2, 1),
	(1, 29, 1, 1),
	(1, 30, 1, 1),
	(1, 31, 1, 1),
	(1, 32, 1, 1),
	(1, 5, 1, 4),
	(1, 6, 1, 4),
	(1, 8, 1, 4),
	(1, 16, 1, 4);
INSERT INTO public.repository_manifests VALUES
	(1, 3, 1, 0),
	(1, 9, 1, 0),
	(1, 12, 1, 0),
	(2, 22, 1, 0),
	(2, 24, 1, 0),
	(2, 27, 1, 0),
	(1, 30, 1, 0);
INSERT INTO public.repository_summaries VALUES
	(2, 1, 3, 3, 0, 't0000002', 22, 'linux/amd64', 'created', 1772352000000000, 76886089, 0, 192217088, 1, 6, NULL, 5, 23775762, 91177395, 249539788, 249532185, 138538184, 83037382, false, false, false, 1796307500989577, 6, 3, '6d858cfbc9050ca2113bc34814276855 linux/amd64', false),
	(1, 1, 4, 4, 0, 't0000003', 30, 'linux/amd64', 'moved', 1796307504969125, 86556777, 0, 216393728, 1, 6, 81430695, 5, 23775762, 91139389, 335985081, 335974944, 169482675, 113981873, false, false, true, 1796307504969125, 10, 4, '6d858cfbc9050ca2113bc34814276855 linux/amd64', false);
INSERT INTO public.scope_blobs VALUES
	(1, 1, 1),
	(1, 2, 1),
	(1, 3, 1),
	(1, 4, 1),
	(1, 5, NULL),
	(1, 6, NULL),
	(1, 7, 1),
	(1, 8, NULL),
	(1, 9, 1),
	(1, 10, 1),
	(1, 11, 1),
	(1, 12, 1),
	(1, 13, 1),
	(1, 14, 1),
	(1, 15, 1),
	(1, 16, NULL),
	(1, 17, 2),
	(1, 18, 2),
	(1, 19, 2),
	(1, 20, 2),
	(1, 21, 2),
	(1, 22, 2),
	(1, 23, 2),
	(1, 24, 2),
	(1, 25, 2),
	(1, 26, 2),
	(1, 27, 2),
	(1, 28, 2),
	(1, 29, 1),
	(1, 30, 1),
	(1, 31, 1),
	(1, 32, 1);
INSERT INTO public.storage_scopes VALUES
	(1, 1, '', 7, 585507129, 252520057, 55500802, 2);
INSERT INTO public.tag_moves VALUES
	(1, 1796307500984163, 9, NULL, NULL),
	(2, 1796307500984163, 12, NULL, NULL),
	(3, 1796307500984163, 3, NULL, NULL),
	(4, 1796307500989508, 27, NULL, NULL),
	(5, 1796307500989508, 24, NULL, NULL),
	(6, 1796307500989508, 22, NULL, NULL),
	(7, 1796307504969125, 30, NULL, NULL);
INSERT INTO public.tags VALUES
	(1, 1, 't0000000', 't000', 9, 1796307500984163, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(2, 1, 't0000001', 't0011', 12, 1796307500984163, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(3, 1, 't0000002', 't0012', 3, 1796307500984163, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(4, 2, 't0000000', 't000', 27, 1796307500989508, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(5, 2, 't0000001', 't0011', 24, 1796307500989508, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(6, 2, 't0000002', 't0012', 22, 1796307500989508, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(7, 1, 't0000003', 't0013', 30, 1796307504969125, 1796307504969125, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.tokens VALUES
	(1, 'grafana', 'read', '\x1ae415bf862c78f898a2b7edec9d22fe159f07d2729ae687935ded9badc9fc72', 1796307507151497, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.touched_manifests VALUES
	(2, NULL);
INSERT INTO public.violations VALUES
	(2, 2, 't#', 'linux/amd64', 'small', 'max_compressed', NULL, 'warning', 't0000002', 22, '\x8fab707bb1453f7f608034226c0955bbbd8c6e9bc649c59d45b2f5cfa1569df6', 1000, 76886089, NULL, 24, 91177395, NULL, '{"of":"own","changes":[{"kind":"added","instruction":"RUN make step-1","before_amount":null,"amount":23775762,"grown_amount":23775762,"of_base":false},{"kind":"added","instruction":"RUN make step-5","before_amount":null,"amount":18792082,"grown_amount":18792082,"of_base":false},{"kind":"added","instruction":"RUN make step-2","before_amount":null,"amount":15974639,"grown_amount":15974639,"of_base":false},{"kind":"added","instruction":"RUN make step-3","before_amount":null,"amount":8173516,"grown_amount":8173516,"of_base":false},{"kind":"added","instruction":"RUN make step-0","before_amount":null,"amount":7576885,"grown_amount":7576885,"of_base":false},{"kind":"added","instruction":"RUN make step-4","before_amount":null,"amount":2593205,"grown_amount":2593205,"of_base":false}],"grown_amount":76886089,"base_grown_amount":0,"other_grown_amount":0,"unknown_lines":0,"quantity":"compressed_bytes"}', true, NULL, 1796307500989577, NULL, 1796307500989577, NULL, NULL, NULL, NULL, NULL, NULL),
	(1, 1, 't#', 'linux/amd64', 'small', 'max_compressed', NULL, 'warning', 't0000003', 30, '\x547c8b1af19be7c340465d2afff8452c0c586296af06ddd65dde116301e7deda', 1000, 86556777, 81430695, 3, 76848083, '\x5f776f74b75d71acbe39b0de9e62852d309f7ea30b563254ada8a03f2d1ad0f1', '{"of":"own","changes":[{"kind":"grown","instruction":"RUN make step-4","before_amount":2574202,"amount":7428549,"grown_amount":4854347,"of_base":false},{"kind":"grown","instruction":"RUN make step-5","before_amount":18773079,"amount":23627426,"grown_amount":4854347,"of_base":false}],"grown_amount":9708694,"base_grown_amount":0,"other_grown_amount":0,"unknown_lines":0,"quantity":"compressed_bytes"}', false, 86556777, 1796307500989577, NULL, 1796307504969125, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.waivers VALUES
	(1, 'near', 'load/r00001', 't0000002', 'max_compressed', 'until it is smaller', 'cli:root', 1796307510886686, 1798899509998941, NULL, NULL);
SELECT pg_catalog.setval('public.audit_log_id_seq', 2, true);
SELECT pg_catalog.setval('public.base_chains_id_seq', 1, false);
SELECT pg_catalog.setval('public.base_names_id_seq', 1, false);
SELECT pg_catalog.setval('public.base_summaries_id_seq', 1, false);
SELECT pg_catalog.setval('public.blob_changes_id_seq', 32, true);
SELECT pg_catalog.setval('public.blobs_id_seq', 32, true);
SELECT pg_catalog.setval('public.crawl_requests_id_seq', 1, true);
SELECT pg_catalog.setval('public.crawls_id_seq', 2, true);
SELECT pg_catalog.setval('public.disputes_id_seq', 1, false);
SELECT pg_catalog.setval('public.instructions_id_seq', 6, true);
SELECT pg_catalog.setval('public.media_types_id_seq', 3, true);
SELECT pg_catalog.setval('public.notification_groups_id_seq', 1, true);
SELECT pg_catalog.setval('public.notifications_id_seq', 1, true);
SELECT pg_catalog.setval('public.platforms_id_seq', 1, true);
SELECT pg_catalog.setval('public.pushes_id_seq', 1, true);
SELECT pg_catalog.setval('public.registries_id_seq', 1, true);
SELECT pg_catalog.setval('public.registry_sums_id_seq', 43, true);
SELECT pg_catalog.setval('public.repositories_id_seq', 2, true);
SELECT pg_catalog.setval('public.storage_scopes_id_seq', 1, true);
SELECT pg_catalog.setval('public.tags_id_seq', 7, true);
SELECT pg_catalog.setval('public.tokens_id_seq', 1, true);
SELECT pg_catalog.setval('public.touched_manifests_id_seq', 2, true);
SELECT pg_catalog.setval('public.violations_id_seq', 2, true);
SELECT pg_catalog.setval('public.waivers_id_seq', 1, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.artifacts
    ADD CONSTRAINT pk_artifacts PRIMARY KEY (id);
ALTER TABLE ONLY public.audit_log
    ADD CONSTRAINT pk_audit_log PRIMARY KEY (id);
ALTER TABLE ONLY public.base_chains
    ADD CONSTRAINT pk_base_chains PRIMARY KEY (id);
ALTER TABLE ONLY public.base_names
    ADD CONSTRAINT pk_base_names PRIMARY KEY (id);
ALTER TABLE ONLY public.base_readings
    ADD CONSTRAINT pk_base_readings PRIMARY KEY (host, repository);
ALTER TABLE ONLY public.base_repositories
    ADD CONSTRAINT pk_base_repositories PRIMARY KEY (repository_id);
ALTER TABLE ONLY public.base_savings
    ADD CONSTRAINT pk_base_savings PRIMARY KEY (base_chain_id);
ALTER TABLE ONLY public.base_summaries
    ADD CONSTRAINT pk_base_summaries PRIMARY KEY (id);
ALTER TABLE ONLY public.blob_changes
    ADD CONSTRAINT pk_blob_changes PRIMARY KEY (id);
ALTER TABLE ONLY public.blob_sizes
    ADD CONSTRAINT pk_blob_sizes PRIMARY KEY (scope_id, blob_id);
ALTER TABLE ONLY public.blobs
    ADD CONSTRAINT pk_blobs PRIMARY KEY (id);
ALTER TABLE ONLY public.channel_paces
    ADD CONSTRAINT pk_channel_paces PRIMARY KEY (channel);
ALTER TABLE ONLY public.crawl_chunks
    ADD CONSTRAINT pk_crawl_chunks PRIMARY KEY (crawl_id, "position");
ALTER TABLE ONLY public.crawl_requests
    ADD CONSTRAINT pk_crawl_requests PRIMARY KEY (id);
ALTER TABLE ONLY public.crawls
    ADD CONSTRAINT pk_crawls PRIMARY KEY (id);
ALTER TABLE ONLY public.disputes
    ADD CONSTRAINT pk_disputes PRIMARY KEY (id);
ALTER TABLE ONLY public.image_bases
    ADD CONSTRAINT pk_image_bases PRIMARY KEY (image_id);
ALTER TABLE ONLY public.images
    ADD CONSTRAINT pk_images PRIMARY KEY (id);
ALTER TABLE ONLY public.index_members
    ADD CONSTRAINT pk_index_members PRIMARY KEY (index_id, "position");
ALTER TABLE ONLY public.instructions
    ADD CONSTRAINT pk_instructions PRIMARY KEY (id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT pk_jobs PRIMARY KEY (job, argument);
ALTER TABLE ONLY public.layers
    ADD CONSTRAINT pk_layers PRIMARY KEY (image_id, "position");
ALTER TABLE ONLY public.lines
    ADD CONSTRAINT pk_lines PRIMARY KEY (image_id);
ALTER TABLE ONLY public.manifest_sizes
    ADD CONSTRAINT pk_manifest_sizes PRIMARY KEY (scope_id, manifest_id);
ALTER TABLE ONLY public.media_types
    ADD CONSTRAINT pk_media_types PRIMARY KEY (id);
ALTER TABLE ONLY public.notification_groups
    ADD CONSTRAINT pk_notification_groups PRIMARY KEY (id);
ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT pk_notifications PRIMARY KEY (id);
ALTER TABLE ONLY public.over_tags
    ADD CONSTRAINT pk_over_tags PRIMARY KEY (repository_id, tag_id, platform, limit_key);
ALTER TABLE ONLY public.platforms
    ADD CONSTRAINT pk_platforms PRIMARY KEY (id);
ALTER TABLE ONLY public.pull_months
    ADD CONSTRAINT pk_pull_months PRIMARY KEY (month, repository_id);
ALTER TABLE ONLY public.pushes
    ADD CONSTRAINT pk_pushes PRIMARY KEY (id);
ALTER TABLE ONLY public.registries
    ADD CONSTRAINT pk_registries PRIMARY KEY (id);
ALTER TABLE ONLY public.registry_sums
    ADD CONSTRAINT pk_registry_sums PRIMARY KEY (id);
ALTER TABLE ONLY public.repositories
    ADD CONSTRAINT pk_repositories PRIMARY KEY (id);
ALTER TABLE ONLY public.repository_blobs
    ADD CONSTRAINT pk_repository_blobs PRIMARY KEY (scope_id, blob_id, repository_id);
ALTER TABLE ONLY public.repository_manifests
    ADD CONSTRAINT pk_repository_manifests PRIMARY KEY (repository_id, manifest_id);
ALTER TABLE ONLY public.repository_pulls
    ADD CONSTRAINT pk_repository_pulls PRIMARY KEY (repository_id);
ALTER TABLE ONLY public.repository_savings
    ADD CONSTRAINT pk_repository_savings PRIMARY KEY (repository_id);
ALTER TABLE ONLY public.repository_summaries
    ADD CONSTRAINT pk_repository_summaries PRIMARY KEY (repository_id);
ALTER TABLE ONLY public.scope_blobs
    ADD CONSTRAINT pk_scope_blobs PRIMARY KEY (scope_id, blob_id);
ALTER TABLE ONLY public.storage_months
    ADD CONSTRAINT pk_storage_months PRIMARY KEY (month, repository_id);
ALTER TABLE ONLY public.storage_scopes
    ADD CONSTRAINT pk_storage_scopes PRIMARY KEY (id);
ALTER TABLE ONLY public.tag_moves
    ADD CONSTRAINT pk_tag_moves PRIMARY KEY (tag_id, seen_from);
ALTER TABLE ONLY public.tag_pulls
    ADD CONSTRAINT pk_tag_pulls PRIMARY KEY (tag_id);
ALTER TABLE ONLY public.tags
    ADD CONSTRAINT pk_tags PRIMARY KEY (id);
ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT pk_tokens PRIMARY KEY (id);
ALTER TABLE ONLY public.touched_manifests
    ADD CONSTRAINT pk_touched_manifests PRIMARY KEY (id);
ALTER TABLE ONLY public.unjudged
    ADD CONSTRAINT pk_unjudged PRIMARY KEY (repository_id, tag_id);
ALTER TABLE ONLY public.violations
    ADD CONSTRAINT pk_violations PRIMARY KEY (id);
ALTER TABLE ONLY public.waivers
    ADD CONSTRAINT pk_waivers PRIMARY KEY (id);
ALTER TABLE ONLY public.base_chains
    ADD CONSTRAINT uq_base_chains_chain_history UNIQUE (chain, history);
ALTER TABLE ONLY public.base_names
    ADD CONSTRAINT uq_base_names_base_chain_id_host_repository_tag_digest UNIQUE (base_chain_id, host, repository, tag, digest);
ALTER TABLE ONLY public.base_summaries
    ADD CONSTRAINT uq_base_summaries_reference UNIQUE (reference);
ALTER TABLE ONLY public.blobs
    ADD CONSTRAINT uq_blobs_digest UNIQUE (digest);
ALTER TABLE ONLY public.disputes
    ADD CONSTRAINT uq_disputes_scope_id_manifest_id_blob_id_source UNIQUE (scope_id, manifest_id, blob_id, source);
ALTER TABLE ONLY public.instructions
    ADD CONSTRAINT uq_instructions_text_digest UNIQUE (text_digest);
ALTER TABLE ONLY public.media_types
    ADD CONSTRAINT uq_media_types_text UNIQUE (text);
ALTER TABLE ONLY public.notification_groups
    ADD CONSTRAINT uq_notification_groups_channel_group_key UNIQUE (channel, group_key);
ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT uq_notifications_violation_id_event_group_id UNIQUE (violation_id, event, group_id);
ALTER TABLE ONLY public.platforms
    ADD CONSTRAINT uq_platforms_text UNIQUE (text);
ALTER TABLE ONLY public.pushes
    ADD CONSTRAINT uq_pushes_event_key UNIQUE (event_key);
ALTER TABLE ONLY public.registries
    ADD CONSTRAINT uq_registries_name UNIQUE (name);
ALTER TABLE ONLY public.repositories
    ADD CONSTRAINT uq_repositories_registry_id_name UNIQUE (registry_id, name);
ALTER TABLE ONLY public.storage_scopes
    ADD CONSTRAINT uq_storage_scopes_registry_id_name UNIQUE (registry_id, name);
ALTER TABLE ONLY public.tags
    ADD CONSTRAINT uq_tags_repository_id_name UNIQUE (repository_id, name);
ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT uq_tokens_sha256 UNIQUE (sha256);
CREATE INDEX ix_base_chains_history ON public.base_chains USING btree (history);
CREATE INDEX ix_base_chains_unswept ON public.base_chains USING btree (id) WHERE (is_swept IS FALSE);
CREATE INDEX ix_base_names_digest ON public.base_names USING btree (digest);
CREATE INDEX ix_base_names_host_repository_tag_left_at ON public.base_names USING btree (host, repository, tag, left_at);
CREATE INDEX ix_base_names_index_digest ON public.base_names USING btree (index_digest) WHERE (index_digest IS NOT NULL);
CREATE INDEX ix_blob_changes_scope_id_id ON public.blob_changes USING btree (scope_id, id);
CREATE INDEX ix_blob_sizes_ask_again ON public.blob_sizes USING btree (scope_id, ask_again_at) WHERE (ask_again_at IS NOT NULL);
CREATE INDEX ix_blobs_uncounted ON public.blobs USING btree (id) WHERE is_uncounted;
CREATE INDEX ix_crawl_chunks_open ON public.crawl_chunks USING btree (crawl_id, "position") WHERE (tags IS NOT NULL);
CREATE INDEX ix_crawl_requests_open ON public.crawl_requests USING btree (registry_id) WHERE (ended_at IS NULL);
CREATE INDEX ix_crawls_registry_id_id ON public.crawls USING btree (registry_id, id);
CREATE INDEX ix_crawls_repository_id_id ON public.crawls USING btree (repository_id, id);
CREATE INDEX ix_disputes_scope_id_blob_id ON public.disputes USING btree (scope_id, blob_id);
CREATE INDEX ix_image_bases_base_chain_id_image_id ON public.image_bases USING btree (base_chain_id, image_id);
CREATE INDEX ix_image_bases_reference ON public.image_bases USING btree (reference, image_id) WHERE (base_chain_id IS NULL);
CREATE INDEX ix_layers_claimed ON public.layers USING btree (blob_id) WHERE (claimed_bytes IS NOT NULL);
CREATE INDEX ix_manifest_sizes_changed ON public.manifest_sizes USING btree (scope_id, manifest_id) WHERE is_changed;
CREATE INDEX ix_notification_groups_next_at ON public.notification_groups USING btree (channel, next_at, id) WHERE (next_at IS NOT NULL);
CREATE INDEX ix_notifications_waiting ON public.notifications USING btree (group_id, id) WHERE (sent_at IS NULL);
CREATE INDEX ix_pull_months_high_bytes ON public.pull_months USING btree (month, high_bytes, repository_id);
CREATE INDEX ix_pushes_done ON public.pushes USING btree (registry, repository, done_at) WHERE (done_at IS NOT NULL);
CREATE INDEX ix_pushes_waiting ON public.pushes USING btree (registry, repository, due_at) WHERE (done_at IS NULL);
CREATE INDEX ix_registries_address ON public.registries USING btree (address);
CREATE INDEX ix_repositories_attempts ON public.repositories USING btree (attempts) WHERE (attempts >= 3);
CREATE INDEX ix_repositories_due_at ON public.repositories USING btree (registry_id, due_at) WHERE (deleted_at IS NULL);
CREATE INDEX ix_repositories_last_complete_crawl_at ON public.repositories USING btree (registry_id, last_complete_crawl_at) WHERE (deleted_at IS NULL);
CREATE INDEX ix_repositories_last_crawl_at ON public.repositories USING btree (registry_id, last_crawl_at, id) WHERE (deleted_at IS NULL);
CREATE INDEX ix_repositories_lease_owner ON public.repositories USING btree (lease_owner) WHERE (lease_owner IS NOT NULL);
CREATE INDEX ix_repository_manifests_manifest_id ON public.repository_manifests USING btree (manifest_id);
CREATE INDEX ix_repository_savings_saved_bytes ON public.repository_savings USING btree (saved_bytes, repository_id);
CREATE INDEX ix_repository_summaries_by_compressed ON public.repository_summaries USING btree (registry_id, newest_compressed_bytes, repository_id);
CREATE INDEX ix_repository_summaries_by_deduplicated ON public.repository_summaries USING btree (registry_id, (
CASE
    WHEN (referenced_bytes IS NOT NULL) THEN deduplicated_bytes
    ELSE NULL::bigint
END), repository_id);
CREATE INDEX ix_repository_summaries_by_exclusive ON public.repository_summaries USING btree (registry_id, (
CASE
    WHEN (referenced_bytes IS NOT NULL) THEN exclusive_bytes
    ELSE NULL::bigint
END), repository_id);
CREATE INDEX ix_repository_summaries_by_failed ON public.repository_summaries USING btree (registry_id, tags_failed, repository_id);
CREATE INDEX ix_repository_summaries_by_growth ON public.repository_summaries USING btree (registry_id, ((((newest_compressed_bytes - baseline_compressed_bytes))::double precision / (NULLIF(baseline_compressed_bytes, 0))::double precision)), repository_id);
CREATE INDEX ix_repository_summaries_by_heaviest ON public.repository_summaries USING btree (registry_id, heaviest_compressed_bytes, repository_id);
CREATE INDEX ix_repository_summaries_by_images ON public.repository_summaries USING btree (registry_id, image_count, repository_id);
CREATE INDEX ix_repository_summaries_by_largest ON public.repository_summaries USING btree (registry_id, largest_compressed_bytes, repository_id);
CREATE INDEX ix_repository_summaries_by_layers ON public.repository_summaries USING btree (registry_id, newest_layers, repository_id);
CREATE INDEX ix_repository_summaries_by_newest ON public.repository_summaries USING btree (registry_id, newest_at, repository_id);
CREATE INDEX ix_repository_summaries_by_referenced ON public.repository_summaries USING btree (registry_id, referenced_bytes, repository_id);
CREATE INDEX ix_repository_summaries_by_shared ON public.repository_summaries USING btree (registry_id, ((
CASE
    WHEN (referenced_bytes IS NOT NULL) THEN deduplicated_bytes
    ELSE NULL::bigint
END -
CASE
    WHEN (referenced_bytes IS NOT NULL) THEN exclusive_bytes
    ELSE NULL::bigint
END)), repository_id);
CREATE INDEX ix_repository_summaries_by_tags ON public.repository_summaries USING btree (registry_id, tag_count, repository_id);
CREATE INDEX ix_repository_summaries_by_uncompressed ON public.repository_summaries USING btree (registry_id, newest_uncompressed_bytes, repository_id);
CREATE INDEX ix_repository_summaries_by_weighed ON public.repository_summaries USING btree (registry_id, weighed_bytes, repository_id);
CREATE INDEX ix_scope_blobs_blob_id_scope_id ON public.scope_blobs USING btree (blob_id, scope_id);
CREATE INDEX ix_tags_moved_last ON public.tags USING btree (repository_id, COALESCE(moved_at, first_seen_at) DESC, COALESCE(pushed_at, ('-1'::integer)::bigint) DESC, natural_key DESC);
CREATE INDEX ix_tags_repository_id_natural_key ON public.tags USING btree (repository_id, natural_key);
CREATE INDEX ix_violations_cause_key ON public.violations USING btree (cause_key) WHERE (cause_key IS NOT NULL);
CREATE INDEX ix_violations_closed_at ON public.violations USING btree (closed_at) WHERE (closed_at IS NOT NULL);
CREATE INDEX ix_violations_ended ON public.violations USING btree (repository_id, closed_at) WHERE (closed_at IS NOT NULL);
CREATE INDEX ix_violations_open ON public.violations USING btree (id) WHERE (closed_at IS NULL);
CREATE INDEX ix_violations_repository_id ON public.violations USING btree (repository_id, id);
CREATE UNIQUE INDEX uq_tokens_name ON public.tokens USING btree (name) WHERE (revoked_at IS NULL);
CREATE UNIQUE INDEX uq_violations_open ON public.violations USING btree (repository_id, stream, platform, policy, limit_key) WHERE (closed_at IS NULL);
CREATE TRIGGER add_repositories AFTER INSERT ON public.repositories FOR EACH ROW WHEN ((
        CASE
            WHEN (new.deleted_at IS NULL) THEN new.registry_id
            ELSE NULL::bigint
        END IS NOT NULL)) EXECUTE FUNCTION public.add_repositories();
CREATE TRIGGER add_repository_summaries AFTER INSERT ON public.repository_summaries FOR EACH ROW WHEN ((new.registry_id IS NOT NULL)) EXECUTE FUNCTION public.add_repository_summaries();
CREATE TRIGGER add_storage_scopes AFTER INSERT ON public.storage_scopes FOR EACH ROW WHEN ((new.registry_id IS NOT NULL)) EXECUTE FUNCTION public.add_storage_scopes();
CREATE TRIGGER change_repositories AFTER UPDATE OF state, held, last_crawl_at ON public.repositories FOR EACH ROW WHEN (((((old.state IS DISTINCT FROM new.state) OR ((old.held IS NULL) IS DISTINCT FROM (new.held IS NULL))) OR ((old.last_crawl_at IS NULL) IS DISTINCT FROM (new.last_crawl_at IS NULL))) AND (
        CASE
            WHEN (new.deleted_at IS NULL) THEN new.registry_id
            ELSE NULL::bigint
        END IS NOT NULL) AND (NOT (
        CASE
            WHEN (old.deleted_at IS NULL) THEN old.registry_id
            ELSE NULL::bigint
        END IS DISTINCT FROM
        CASE
            WHEN (new.deleted_at IS NULL) THEN new.registry_id
            ELSE NULL::bigint
        END)))) EXECUTE FUNCTION public.change_repositories();
CREATE TRIGGER change_repository_summaries AFTER UPDATE OF tag_count, tags_failed, newest_compressed_bytes, referenced_bytes, exclusive_bytes ON public.repository_summaries FOR EACH ROW WHEN (((((((old.tag_count IS DISTINCT FROM new.tag_count) OR (old.tags_failed IS DISTINCT FROM new.tags_failed)) OR (old.newest_compressed_bytes IS DISTINCT FROM new.newest_compressed_bytes)) OR (old.referenced_bytes IS DISTINCT FROM new.referenced_bytes)) OR (old.exclusive_bytes IS DISTINCT FROM new.exclusive_bytes)) AND (new.registry_id IS NOT NULL) AND (NOT (old.registry_id IS DISTINCT FROM new.registry_id)))) EXECUTE FUNCTION public.change_repository_summaries();
CREATE TRIGGER change_storage_scopes AFTER UPDATE OF image_count, weighed_bytes, deduplicated_bytes, shared_bytes ON public.storage_scopes FOR EACH ROW WHEN ((((((old.image_count IS DISTINCT FROM new.image_count) OR (old.weighed_bytes IS DISTINCT FROM new.weighed_bytes)) OR (old.deduplicated_bytes IS DISTINCT FROM new.deduplicated_bytes)) OR (old.shared_bytes IS DISTINCT FROM new.shared_bytes)) AND (new.registry_id IS NOT NULL) AND (NOT (old.registry_id IS DISTINCT FROM new.registry_id)))) EXECUTE FUNCTION public.change_storage_scopes();
CREATE TRIGGER move_repositories AFTER UPDATE OF registry_id, deleted_at ON public.repositories FOR EACH ROW WHEN ((
        CASE
            WHEN (old.deleted_at IS NULL) THEN old.registry_id
            ELSE NULL::bigint
        END IS DISTINCT FROM
        CASE
            WHEN (new.deleted_at IS NULL) THEN new.registry_id
            ELSE NULL::bigint
        END)) EXECUTE FUNCTION public.move_repositories();
CREATE TRIGGER move_repository_summaries AFTER UPDATE OF registry_id ON public.repository_summaries FOR EACH ROW WHEN ((old.registry_id IS DISTINCT FROM new.registry_id)) EXECUTE FUNCTION public.move_repository_summaries();
CREATE TRIGGER move_storage_scopes AFTER UPDATE OF registry_id ON public.storage_scopes FOR EACH ROW WHEN ((old.registry_id IS DISTINCT FROM new.registry_id)) EXECUTE FUNCTION public.move_storage_scopes();
CREATE TRIGGER note_repositories AFTER INSERT OR DELETE OR UPDATE OF revision ON public.repositories FOR EACH STATEMENT EXECUTE FUNCTION public.note_repositories();
CREATE TRIGGER note_repository_summaries AFTER INSERT OR DELETE OR UPDATE OF revision ON public.repository_summaries FOR EACH STATEMENT EXECUTE FUNCTION public.note_repository_summaries();
CREATE TRIGGER note_storage_scopes AFTER INSERT OR DELETE OR UPDATE OF revision ON public.storage_scopes FOR EACH STATEMENT EXECUTE FUNCTION public.note_storage_scopes();
CREATE TRIGGER note_violations AFTER INSERT OR DELETE OR UPDATE ON public.violations FOR EACH STATEMENT EXECUTE FUNCTION public.note_violations();
CREATE TRIGGER take_repositories AFTER DELETE ON public.repositories FOR EACH ROW WHEN ((
        CASE
            WHEN (old.deleted_at IS NULL) THEN old.registry_id
            ELSE NULL::bigint
        END IS NOT NULL)) EXECUTE FUNCTION public.take_repositories();
CREATE TRIGGER take_repository_summaries AFTER DELETE ON public.repository_summaries FOR EACH ROW WHEN ((old.registry_id IS NOT NULL)) EXECUTE FUNCTION public.take_repository_summaries();
CREATE TRIGGER take_storage_scopes AFTER DELETE ON public.storage_scopes FOR EACH ROW WHEN ((old.registry_id IS NOT NULL)) EXECUTE FUNCTION public.take_storage_scopes();
ALTER TABLE ONLY public.base_names
    ADD CONSTRAINT fk_base_names_base_chain_id FOREIGN KEY (base_chain_id) REFERENCES public.base_chains(id);
ALTER TABLE ONLY public.base_repositories
    ADD CONSTRAINT fk_base_repositories_repository_id FOREIGN KEY (repository_id) REFERENCES public.repositories(id);
ALTER TABLE ONLY public.base_summaries
    ADD CONSTRAINT fk_base_summaries_base_chain_id FOREIGN KEY (base_chain_id) REFERENCES public.base_chains(id);
ALTER TABLE ONLY public.crawl_chunks
    ADD CONSTRAINT fk_crawl_chunks_crawl_id FOREIGN KEY (crawl_id) REFERENCES public.crawls(id);
ALTER TABLE ONLY public.crawl_requests
    ADD CONSTRAINT fk_crawl_requests_registry_id FOREIGN KEY (registry_id) REFERENCES public.registries(id);
ALTER TABLE ONLY public.crawls
    ADD CONSTRAINT fk_crawls_repository_id FOREIGN KEY (repository_id) REFERENCES public.repositories(id);
ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT fk_notifications_group_id FOREIGN KEY (group_id) REFERENCES public.notification_groups(id);
ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT fk_notifications_violation_id FOREIGN KEY (violation_id) REFERENCES public.violations(id);
ALTER TABLE ONLY public.repositories
    ADD CONSTRAINT fk_repositories_registry_id FOREIGN KEY (registry_id) REFERENCES public.registries(id);
ALTER TABLE ONLY public.repositories
    ADD CONSTRAINT fk_repositories_scope_id FOREIGN KEY (scope_id) REFERENCES public.storage_scopes(id);
ALTER TABLE ONLY public.repository_summaries
    ADD CONSTRAINT fk_repository_summaries_repository_id FOREIGN KEY (repository_id) REFERENCES public.repositories(id);
ALTER TABLE ONLY public.storage_scopes
    ADD CONSTRAINT fk_storage_scopes_registry_id FOREIGN KEY (registry_id) REFERENCES public.registries(id);
ALTER TABLE ONLY public.tags
    ADD CONSTRAINT fk_tags_repository_id FOREIGN KEY (repository_id) REFERENCES public.repositories(id);
ALTER TABLE ONLY public.violations
    ADD CONSTRAINT fk_violations_repository_id FOREIGN KEY (repository_id) REFERENCES public.repositories(id);

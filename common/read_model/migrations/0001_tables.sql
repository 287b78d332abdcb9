-- Tables of the read model. Names are unqualified: `search_path` says which schema is being built, so that a rebuild
-- can build a second one beside the live one. Policies and grants are laid on by src/secure.sql after every migration.
-- Which stream partition a row is written by stands above each table; streams meet in views only.

-- How far each stream partition has been folded.
CREATE TABLE projection_position (
    topic            TEXT COLLATE "C" NOT NULL,
    partition        INTEGER NOT NULL,
    cluster_id       TEXT,
    topic_id         TEXT,
    next_offset      BIGINT NOT NULL,
    epoch            BIGINT NOT NULL,
    owner            UUID,
    chain_hash       TEXT,
    newest_record_at TIMESTAMPTZ,
    PRIMARY KEY (topic, partition)
);

-- Which tenants a direct login may read. Not part of the fold: the operator writes it.
CREATE TABLE reader_login (
    login     TEXT COLLATE "C" NOT NULL,
    tenant_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (login, tenant_id)
);

-- source ---------------------------------------------------------------------------------------------------------

CREATE TABLE data_source (
    tenant_id           TEXT COLLATE "C" NOT NULL,
    source_id           UUID NOT NULL,
    version             BIGINT NOT NULL,
    state               TEXT NOT NULL,
    name                TEXT COLLATE "C" NOT NULL,
    name_key            TEXT COLLATE "C" NOT NULL,
    source_type         TEXT NOT NULL,
    location            TEXT NOT NULL,
    environment         TEXT NOT NULL,
    criticality         TEXT NOT NULL,
    data_classification TEXT NOT NULL,
    owner               TEXT,
    tags                TEXT[] NOT NULL,
    spec                JSONB NOT NULL,
    created_at          TIMESTAMPTZ NOT NULL,
    created_by          TEXT NOT NULL,
    updated_at          TIMESTAMPTZ NOT NULL,
    updated_by          TEXT NOT NULL,
    deleted_at          TIMESTAMPTZ,
    last_command_id     UUID,
    last_event_id       UUID NOT NULL,
    PRIMARY KEY (tenant_id, source_id),
    -- A detector of a broken promise, never the judge. Deferred, because one batch may free a name and give it away.
    CONSTRAINT data_source_name_is_taken_once EXCLUDE USING btree (tenant_id WITH =, name_key WITH =)
        WHERE (state IN ('ACTIVE', 'PAUSED')) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX data_source_by_name ON data_source (tenant_id, name_key, source_id);

CREATE TABLE data_source_change (
    tenant_id    TEXT COLLATE "C" NOT NULL,
    source_id    UUID NOT NULL,
    version      BIGINT NOT NULL,
    field        TEXT COLLATE "C" NOT NULL,
    event_type   TEXT NOT NULL,
    before       JSONB,
    after        JSONB,
    changed_at   TIMESTAMPTZ NOT NULL,
    principal    TEXT NOT NULL,
    actor_type   TEXT NOT NULL,
    on_behalf_of TEXT,
    reason       TEXT,
    command_id   UUID,
    event_id     UUID NOT NULL,
    PRIMARY KEY (tenant_id, source_id, version, field)
);

CREATE TABLE favorite (
    tenant_id TEXT COLLATE "C" NOT NULL,
    principal TEXT COLLATE "C" NOT NULL,
    source_id UUID NOT NULL,
    set_at    TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, principal, source_id)
);

-- outcome --------------------------------------------------------------------------------------------------------

CREATE TABLE command (
    tenant_id         TEXT COLLATE "C" NOT NULL,
    command_id        UUID NOT NULL,
    command_type      TEXT NOT NULL,
    state             TEXT NOT NULL,
    source_id         UUID,
    version           BIGINT,
    payload_sha256    TEXT,
    principal         TEXT NOT NULL,
    actor_type        TEXT NOT NULL,
    on_behalf_of      TEXT,
    correlation_id    UUID,
    progress_done     BIGINT,
    progress_total    BIGINT,
    progress_message  TEXT,
    result            JSONB,
    preview           JSONB,
    violations        JSONB,
    problem           JSONB,
    dead_letter       JSONB,
    cancelled_by      JSONB,
    run_ids           UUID[] NOT NULL,
    accepted_at       TIMESTAMPTZ,
    updated_at        TIMESTAMPTZ NOT NULL,
    ended_at          TIMESTAMPTZ,
    outcome_event_id  UUID,
    outcome_partition INTEGER NOT NULL,
    recorded_at       TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, command_id)
);
CREATE INDEX command_by_time ON command (tenant_id, updated_at DESC, command_id);
CREATE INDEX command_by_source ON command (tenant_id, source_id, updated_at DESC);
CREATE INDEX command_by_record_time ON command (outcome_partition, recorded_at);

-- work.* ---------------------------------------------------------------------------------------------------------

CREATE TABLE work_item (
    tenant_id       TEXT COLLATE "C" NOT NULL,
    run_id          UUID NOT NULL,
    source_id       UUID,
    command_id      UUID,
    correlation_id  UUID,
    kind            TEXT NOT NULL,
    command_type    TEXT NOT NULL,
    answers_command BOOLEAN NOT NULL,
    source_version  BIGINT NOT NULL,
    strategy        TEXT NOT NULL,
    scope           JSONB,
    full_listing    BOOLEAN NOT NULL,
    exact           BOOLEAN NOT NULL,
    dry_run         BOOLEAN NOT NULL,
    confirms        UUID,
    principal       TEXT NOT NULL,
    asked_at        TIMESTAMPTZ NOT NULL,
    deadline        TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, run_id)
);
CREATE INDEX work_item_by_source ON work_item (tenant_id, source_id, asked_at DESC);

-- connection, schema, statistics: a run belongs to the stream of its kind -----------------------------------------

CREATE TABLE run (
    tenant_id        TEXT COLLATE "C" NOT NULL,
    run_id           UUID NOT NULL,
    source_id        UUID,
    kind             TEXT NOT NULL,
    state            TEXT NOT NULL,
    attempt          INTEGER NOT NULL,
    sequence         BIGINT NOT NULL,
    command_id       UUID,
    correlation_id   UUID,
    principal        TEXT NOT NULL,
    result           TEXT,
    strategy         TEXT,
    scope            JSONB,
    started_at       TIMESTAMPTZ NOT NULL,
    ended_at         TIMESTAMPTZ,
    duration_us      BIGINT,
    problem          JSONB,
    counts           JSONB,
    complete         BOOLEAN,
    root_hash        TEXT,
    scope_hash       TEXT,
    visibility_hash  TEXT,
    fingerprint      TEXT,
    unreadable       BIGINT,
    queries          BIGINT,
    rows_read        BIGINT,
    objects_observed BIGINT NOT NULL,
    objects_changed  BIGINT NOT NULL,
    objects_dropped  BIGINT NOT NULL,
    objects_held     BIGINT NOT NULL,
    listed_before    BIGINT,
    listed_now       BIGINT,
    PRIMARY KEY (tenant_id, run_id)
);
CREATE INDEX run_by_source ON run (tenant_id, source_id, kind, started_at DESC, run_id);
CREATE INDEX run_complete ON run (tenant_id, source_id, ended_at DESC, run_id)
    WHERE kind = 'DISCOVER' AND complete;

-- connection -----------------------------------------------------------------------------------------------------

CREATE TABLE connection_test (
    tenant_id   TEXT COLLATE "C" NOT NULL,
    run_id      UUID NOT NULL,
    source_id   UUID,
    command_id  UUID,
    result      TEXT NOT NULL,
    failed_step TEXT,
    code        TEXT,
    problem     JSONB,
    steps       JSONB NOT NULL,
    server      JSONB,
    latency_us  BIGINT,
    duration_us BIGINT NOT NULL,
    principal   TEXT NOT NULL,
    tested_at   TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, run_id)
);
CREATE INDEX connection_test_by_source ON connection_test (tenant_id, source_id, tested_at DESC, run_id);

-- schema ---------------------------------------------------------------------------------------------------------

CREATE TABLE schema_object (
    tenant_id     TEXT COLLATE "C" NOT NULL,
    source_id     UUID NOT NULL,
    object_id     UUID NOT NULL,
    catalog       TEXT COLLATE "C" NOT NULL,
    schema        TEXT COLLATE "C" NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    kind          TEXT NOT NULL,
    native_id     TEXT,
    state         TEXT NOT NULL,
    owner         TEXT,
    comment       TEXT,
    definition    TEXT,
    partitions    JSONB,
    depends_on    JSONB NOT NULL,
    truncated     TEXT[] NOT NULL,
    content_hash  TEXT,
    version       TEXT,
    column_count  INTEGER NOT NULL,
    in_scope      BOOLEAN NOT NULL,
    listed        BOOLEAN NOT NULL,
    unreadable    JSONB,
    held_by_run   UUID,
    entailed_by   TEXT[] NOT NULL,
    first_run_id  UUID NOT NULL,
    last_run_id   UUID NOT NULL,
    first_seen_at TIMESTAMPTZ NOT NULL,
    observed_at   TIMESTAMPTZ NOT NULL,
    dropped_at    TIMESTAMPTZ,
    PRIMARY KEY (tenant_id, source_id, object_id)
);
CREATE INDEX schema_object_by_name ON schema_object (tenant_id, source_id, schema, name, kind, object_id);
CREATE INDEX schema_object_live ON schema_object (tenant_id, source_id, kind) WHERE state = 'LIVE' AND in_scope;
CREATE INDEX schema_object_marked ON schema_object (tenant_id, source_id)
    WHERE held_by_run IS NOT NULL OR unreadable IS NOT NULL;

-- Empty but between a complete listing's facts and its end: whose mark `listed` is to be moved.
CREATE INDEX schema_object_unsettled ON schema_object (tenant_id, source_id)
    WHERE state = 'LIVE' AND listed <> (in_scope AND held_by_run IS NULL);

-- `position` is the place in the event: names that were cut to the limit may repeat.
CREATE TABLE schema_column (
    tenant_id   TEXT COLLATE "C" NOT NULL,
    source_id   UUID NOT NULL,
    object_id   UUID NOT NULL,
    position    INTEGER NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    ordinal     INTEGER NOT NULL,
    data_type   TEXT NOT NULL,
    type_family TEXT NOT NULL,
    nullable    BOOLEAN NOT NULL,
    default_value TEXT,
    generated   TEXT,
    identity    TEXT,
    collation_name TEXT,
    comment     TEXT,
    PRIMARY KEY (tenant_id, source_id, object_id, position)
);

CREATE TABLE schema_constraint (
    tenant_id          TEXT COLLATE "C" NOT NULL,
    source_id          UUID NOT NULL,
    object_id          UUID NOT NULL,
    position           INTEGER NOT NULL,
    name               TEXT COLLATE "C" NOT NULL,
    kind               TEXT NOT NULL,
    columns            JSONB NOT NULL,
    referenced_object  TEXT,
    referenced_columns JSONB,
    definition         TEXT,
    PRIMARY KEY (tenant_id, source_id, object_id, position)
);

CREATE TABLE schema_index (
    tenant_id  TEXT COLLATE "C" NOT NULL,
    source_id  UUID NOT NULL,
    object_id  UUID NOT NULL,
    position   INTEGER NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    is_unique  BOOLEAN NOT NULL,
    columns    JSONB NOT NULL,
    method     TEXT NOT NULL,
    definition TEXT NOT NULL,
    PRIMARY KEY (tenant_id, source_id, object_id, position)
);

CREATE TABLE schema_change (
    tenant_id   TEXT COLLATE "C" NOT NULL,
    event_id    UUID NOT NULL,
    position    INTEGER NOT NULL,
    source_id   UUID NOT NULL,
    run_id      UUID NOT NULL,
    object_id   UUID NOT NULL,
    catalog     TEXT COLLATE "C" NOT NULL,
    schema      TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    object_kind TEXT NOT NULL,
    kind        TEXT NOT NULL,
    severity    TEXT NOT NULL,
    path        TEXT NOT NULL,
    before      TEXT,
    after       TEXT,
    certainty   TEXT NOT NULL,
    from_hash   TEXT,
    to_hash     TEXT,
    changed_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, event_id, position)
);
CREATE INDEX schema_change_by_time ON schema_change (tenant_id, source_id, changed_at DESC, event_id, position);
CREATE INDEX schema_change_by_object ON schema_change (tenant_id, source_id, object_id, changed_at DESC);
CREATE INDEX schema_change_by_run ON schema_change (tenant_id, run_id);

-- statistics -----------------------------------------------------------------------------------------------------

CREATE TABLE source_statistics (
    tenant_id           TEXT COLLATE "C" NOT NULL,
    source_id           UUID NOT NULL,
    run_id              UUID NOT NULL,
    collected_at        TIMESTAMPTZ NOT NULL,
    size_bytes          BIGINT,
    object_count        BIGINT NOT NULL,
    row_estimate        BIGINT,
    cache_hit_ratio_ppm BIGINT,
    query_time_p50_us   BIGINT,
    query_time_p95_us   BIGINT,
    query_time_samples  INTEGER,
    connections_used    BIGINT,
    connections_max     BIGINT,
    quality             JSONB NOT NULL,
    counters            JSONB NOT NULL,
    PRIMARY KEY (tenant_id, source_id, run_id)
);
CREATE INDEX source_statistics_by_time ON source_statistics (tenant_id, source_id, collected_at DESC, run_id);

CREATE TABLE object_statistics (
    tenant_id   TEXT COLLATE "C" NOT NULL,
    source_id   UUID NOT NULL,
    object_id   UUID NOT NULL,
    run_id      UUID NOT NULL,
    size_bytes  BIGINT,
    row_count   BIGINT,
    quality     TEXT NOT NULL,
    measured_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, source_id, object_id)
);

-- audit: `hash` chains the rows of one partition ------------------------------------------------------------------

CREATE TABLE audit (
    tenant_id        TEXT COLLATE "C" NOT NULL,
    partition        INTEGER NOT NULL,
    log_offset       BIGINT NOT NULL,
    event_id         UUID NOT NULL,
    decided_at       TIMESTAMPTZ NOT NULL,
    command_id       UUID,
    command_type     TEXT,
    decision         TEXT NOT NULL,
    code             TEXT,
    principal        TEXT,
    actor            JSONB,
    payload_sha256   TEXT NOT NULL,
    record_topic     TEXT NOT NULL,
    record_partition INTEGER NOT NULL,
    record_offset    BIGINT NOT NULL,
    previous_hash    TEXT NOT NULL,
    hash             TEXT NOT NULL,
    PRIMARY KEY (partition, log_offset)
);
CREATE INDEX audit_by_time ON audit (tenant_id, decided_at DESC, partition, log_offset);
CREATE INDEX audit_by_command ON audit (tenant_id, command_id);

-- dead-letter: headers and size, never the content ------------------------------------------------------------------

CREATE TABLE dead_letter (
    tenant_id          TEXT COLLATE "C" NOT NULL,
    partition          INTEGER NOT NULL,
    log_offset         BIGINT NOT NULL,
    code               TEXT NOT NULL,
    original_topic     TEXT NOT NULL,
    original_partition INTEGER,
    original_offset    BIGINT,
    first_failed_at    TEXT,
    attempts           BIGINT,
    worker             TEXT,
    worker_version     TEXT,
    record_key         TEXT,
    size_bytes         BIGINT NOT NULL,
    recorded_at        TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (partition, log_offset)
);
CREATE INDEX dead_letter_by_time ON dead_letter (tenant_id, recorded_at DESC, partition, log_offset);

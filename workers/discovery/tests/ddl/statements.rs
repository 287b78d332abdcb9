//! The statements and what each is to be reported as.

/// What there is before the first run.
pub const SETUP: &str = r#"
CREATE SCHEMA shop;
CREATE SCHEMA other;
CREATE TYPE shop.mood AS ENUM ('sad', 'ok');
CREATE TYPE shop.point2 AS (x integer, y integer);
CREATE DOMAIN shop.positive AS integer CHECK (VALUE > 0);
CREATE TABLE shop.people (
    id integer PRIMARY KEY, name character varying(20) NOT NULL, mail text, state character varying(9) DEFAULT 'new',
    born date, feels shop.mood DEFAULT 'ok', amount numeric(10,2), "Odd name" text, code character varying(5) COLLATE "C",
    twice integer GENERATED ALWAYS AS (id * 2) STORED,
    CONSTRAINT people_mail UNIQUE (mail), CONSTRAINT people_state CHECK (state <> ''));
CREATE INDEX people_name ON shop.people (name);
CREATE INDEX people_lower ON shop.people (lower(name), born) WHERE state <> 'old';
CREATE TABLE shop.orders (
    id bigserial PRIMARY KEY, who integer NOT NULL REFERENCES shop.people (id), day date NOT NULL, total numeric(10,2),
    note text);
CREATE INDEX orders_day ON shop.orders (day, who);
CREATE TABLE shop.log (at timestamp(3) without time zone NOT NULL, what text) PARTITION BY RANGE (at);
CREATE TABLE shop.log_1 PARTITION OF shop.log FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE shop.parent (a integer);
CREATE TABLE shop.child (b integer) INHERITS (shop.parent);
CREATE TABLE shop.bookings (room integer, during tsrange, EXCLUDE USING gist (during WITH &&));
CREATE SEQUENCE shop.numbers;
CREATE VIEW shop.adults AS SELECT id, name, state FROM shop.people WHERE born < '2008-01-01';
CREATE VIEW shop.names AS SELECT a.name FROM shop.adults a;
CREATE MATERIALIZED VIEW shop.totals AS SELECT who, sum(total) AS total FROM shop.orders GROUP BY who;
CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION shop.add(a integer, b integer) RETURNS integer LANGUAGE sql AS 'SELECT a + b';
CREATE FUNCTION shop.cheer(m shop.mood) RETURNS text LANGUAGE sql AS 'SELECT m::text';
CREATE TRIGGER people_touch BEFORE UPDATE ON shop.people FOR EACH ROW EXECUTE FUNCTION shop.touch();
CREATE TABLE shop."Straße 🚲" ("größe" integer, "select" text);
CREATE TABLE other.last (id integer, gone text);
"#;

/// Statement, and what the next discovery reports.
pub const STATEMENTS: &[(&str, &[&str])] = &[
    // columns
    ("ALTER TABLE shop.people ADD COLUMN nick text", &["TABLE shop.people: COLUMN_ADDED columns/nick"]),
    (
        "ALTER TABLE shop.people ADD COLUMN flag boolean NOT NULL DEFAULT false",
        &["TABLE shop.people: COLUMN_ADDED columns/flag"],
    ),
    ("ALTER TABLE shop.people DROP COLUMN nick", &["TABLE shop.people: COLUMN_DROPPED columns/nick"]),
    (
        "ALTER TABLE shop.people RENAME COLUMN name TO full_name",
        &["TABLE shop.people: COLUMN_RENAMED columns/full_name/name"],
    ),
    (
        "ALTER TABLE shop.people RENAME COLUMN state TO \"Status\"",
        &["TABLE shop.people: COLUMN_RENAMED columns/Status/name"],
    ),
    ("ALTER TABLE shop.people RENAME COLUMN id TO key", &["TABLE shop.people: COLUMN_RENAMED columns/key/name"]),
    (
        "ALTER TABLE shop.people RENAME COLUMN \"Odd name\" TO plain",
        &["TABLE shop.people: COLUMN_RENAMED columns/plain/name"],
    ),
    (
        "ALTER TABLE shop.\"Straße 🚲\" RENAME COLUMN \"größe\" TO \"a/b\"",
        &["TABLE shop.Straße 🚲: COLUMN_RENAMED columns/a/b/name"],
    ),
    (
        "ALTER TABLE shop.log RENAME COLUMN at TO happened_at",
        &["TABLE shop.log: COLUMN_RENAMED columns/happened_at/name"],
    ),
    ("ALTER VIEW shop.names RENAME COLUMN name TO called", &["VIEW shop.names: COLUMN_RENAMED columns/called/name"]),
    (
        "CREATE OR REPLACE VIEW shop.names AS SELECT a.name AS called FROM shop.adults a WHERE EXISTS (SELECT FROM shop.log)",
        &["VIEW shop.names: DEFINITION_CHANGED definition"],
    ),
    (
        "ALTER TABLE shop.bookings ALTER COLUMN room TYPE bigint",
        &["TABLE shop.bookings: COLUMN_TYPE_WIDENED columns/room/type"],
    ),
    (
        "ALTER TABLE shop.orders ALTER COLUMN note TYPE character varying(40)",
        &["TABLE shop.orders: COLUMN_TYPE_NARROWED columns/note/type"],
    ),
    (
        "ALTER TABLE shop.orders ALTER COLUMN note TYPE text",
        &["TABLE shop.orders: COLUMN_TYPE_WIDENED columns/note/type"],
    ),
    (
        "ALTER TABLE shop.people ALTER COLUMN amount TYPE numeric(12,2)",
        &["TABLE shop.people: COLUMN_TYPE_WIDENED columns/amount/type"],
    ),
    (
        "ALTER TABLE shop.people ALTER COLUMN amount TYPE text",
        &["TABLE shop.people: COLUMN_TYPE_CHANGED columns/amount/type"],
    ),
    (
        "ALTER TABLE shop.orders ALTER COLUMN day DROP NOT NULL",
        &["TABLE shop.orders: NULLABILITY_LOOSENED columns/day/nullable"],
    ),
    (
        "ALTER TABLE shop.orders ALTER COLUMN day SET NOT NULL",
        &["TABLE shop.orders: NULLABILITY_TIGHTENED columns/day/nullable"],
    ),
    (
        "ALTER TABLE shop.orders ALTER COLUMN day SET DEFAULT CURRENT_DATE",
        &["TABLE shop.orders: DEFAULT_CHANGED columns/day/default"],
    ),
    (
        "ALTER TABLE shop.orders ALTER COLUMN day DROP DEFAULT",
        &["TABLE shop.orders: DEFAULT_CHANGED columns/day/default"],
    ),
    (
        "ALTER TABLE shop.people ALTER COLUMN twice DROP EXPRESSION",
        &["TABLE shop.people: GENERATED_CHANGED columns/twice/generated"],
    ),
    (
        "ALTER TABLE shop.parent ALTER COLUMN a SET NOT NULL",
        &[
            "TABLE shop.child: NULLABILITY_TIGHTENED columns/a/nullable",
            "TABLE shop.parent: NULLABILITY_TIGHTENED columns/a/nullable",
        ],
    ),
    (
        "ALTER TABLE shop.parent ALTER COLUMN a ADD GENERATED BY DEFAULT AS IDENTITY",
        &["TABLE shop.parent: IDENTITY_CHANGED columns/a/identity"],
    ),
    (
        "ALTER TABLE shop.people ALTER COLUMN code TYPE character varying(5) COLLATE \"POSIX\"",
        &["TABLE shop.people: COLLATION_CHANGED columns/code/collation"],
    ),
    // comments and owners
    ("COMMENT ON TABLE shop.people IS 'people'", &["TABLE shop.people: COMMENT_CHANGED comment"]),
    ("COMMENT ON COLUMN shop.people.mail IS 'address'", &["TABLE shop.people: COMMENT_CHANGED columns/mail/comment"]),
    ("COMMENT ON VIEW shop.adults IS 'grown up'", &["VIEW shop.adults: COMMENT_CHANGED comment"]),
    (
        "COMMENT ON FUNCTION shop.add(integer, integer) IS 'sum'",
        &["ROUTINE shop.add(integer, integer): COMMENT_CHANGED comment"],
    ),
    ("ALTER TABLE shop.people OWNER TO pg_monitor", &["TABLE shop.people: OWNER_CHANGED owner"]),
    ("ALTER VIEW shop.adults OWNER TO pg_monitor", &["VIEW shop.adults: OWNER_CHANGED owner"]),
    // constraints
    (
        "ALTER TABLE shop.people ADD CONSTRAINT people_born UNIQUE (born, key)",
        &["TABLE shop.people: UNIQUE_ADDED constraints/people_born"],
    ),
    (
        "ALTER TABLE shop.people DROP CONSTRAINT people_born",
        &["TABLE shop.people: UNIQUE_DROPPED constraints/people_born"],
    ),
    (
        "ALTER TABLE shop.people ADD CONSTRAINT mail_at CHECK (mail LIKE '%@%')",
        &["TABLE shop.people: CHECK_ADDED constraints/mail_at"],
    ),
    (
        "ALTER TABLE shop.people RENAME CONSTRAINT mail_at TO mail_has_at",
        &["TABLE shop.people: CHECK_CHANGED constraints/mail_at"],
    ),
    (
        "ALTER TABLE shop.people DROP CONSTRAINT mail_has_at, ADD CONSTRAINT mail_has_at CHECK (mail LIKE '%@_%')",
        &["TABLE shop.people: CHECK_CHANGED constraints/mail_has_at"],
    ),
    (
        "ALTER TABLE shop.people DROP CONSTRAINT mail_has_at",
        &["TABLE shop.people: CHECK_DROPPED constraints/mail_has_at"],
    ),
    (
        "ALTER TABLE shop.orders DROP CONSTRAINT orders_who_fkey",
        &["TABLE shop.orders: FOREIGN_KEY_DROPPED constraints/orders_who_fkey"],
    ),
    (
        "ALTER TABLE shop.orders ADD CONSTRAINT orders_who FOREIGN KEY (who) REFERENCES shop.people (key)",
        &["TABLE shop.orders: FOREIGN_KEY_ADDED constraints/orders_who"],
    ),
    (
        "ALTER TABLE shop.orders ALTER CONSTRAINT orders_who DEFERRABLE",
        &["TABLE shop.orders: FOREIGN_KEY_CHANGED constraints/orders_who"],
    ),
    (
        "ALTER TABLE shop.orders DROP CONSTRAINT orders_pkey",
        &["TABLE shop.orders: PRIMARY_KEY_CHANGED constraints/orders_pkey"],
    ),
    (
        "ALTER TABLE shop.orders ADD PRIMARY KEY (id, who)",
        &["TABLE shop.orders: PRIMARY_KEY_CHANGED constraints/orders_pkey"],
    ),
    (
        "ALTER TABLE shop.bookings DROP CONSTRAINT bookings_during_excl",
        &["TABLE shop.bookings: EXCLUSION_DROPPED constraints/bookings_during_excl"],
    ),
    (
        "ALTER TABLE shop.bookings ADD CONSTRAINT no_overlap EXCLUDE USING gist (during WITH &&)",
        &["TABLE shop.bookings: EXCLUSION_ADDED constraints/no_overlap"],
    ),
    // indexes
    ("CREATE INDEX people_plain ON shop.people (plain)", &["TABLE shop.people: INDEX_ADDED indexes/people_plain"]),
    (
        "ALTER INDEX shop.people_plain RENAME TO people_ordinary",
        &["TABLE shop.people: INDEX_CHANGED indexes/people_plain"],
    ),
    ("DROP INDEX shop.people_ordinary", &["TABLE shop.people: INDEX_DROPPED indexes/people_ordinary"]),
    (
        "CREATE UNIQUE INDEX totals_who ON shop.totals (who)",
        &["MATERIALIZED_VIEW shop.totals: INDEX_ADDED indexes/totals_who"],
    ),
    // what goes with a column
    ("ALTER TABLE shop.people DROP COLUMN mail", &["TABLE shop.people: COLUMN_DROPPED columns/mail"]),
    (
        "ALTER TABLE shop.orders DROP COLUMN day",
        &["TABLE shop.orders: COLUMN_DROPPED columns/day, INDEX_DROPPED indexes/orders_day"],
    ),
    // views, routines, triggers, types, sequences
    (
        "CREATE OR REPLACE VIEW shop.adults AS SELECT key AS id, full_name AS name, \"Status\" AS state FROM shop.people WHERE born < '2007-01-01'",
        &["VIEW shop.adults: DEFINITION_CHANGED definition"],
    ),
    (
        "CREATE OR REPLACE VIEW shop.adults AS SELECT key AS id, full_name AS name, \"Status\" AS state, born FROM shop.people WHERE born < '2007-01-01'",
        &["VIEW shop.adults: COLUMN_ADDED columns/born, DEFINITION_CHANGED definition"],
    ),
    (
        "CREATE OR REPLACE FUNCTION shop.add(a integer, b integer) RETURNS integer LANGUAGE sql AS 'SELECT b + a'",
        &["ROUTINE shop.add(integer, integer): DEFINITION_CHANGED definition"],
    ),
    (
        "ALTER FUNCTION shop.add(integer, integer) RENAME TO plus",
        &["ROUTINE shop.plus(integer, integer): OBJECT_RENAMED name"],
    ),
    (
        "CREATE TRIGGER orders_touch BEFORE INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.touch()",
        &["TRIGGER shop.orders.orders_touch: OBJECT_ADDED"],
    ),
    (
        "ALTER TRIGGER orders_touch ON shop.orders RENAME TO orders_check",
        &["TRIGGER shop.orders.orders_check: OBJECT_RENAMED name"],
    ),
    ("ALTER FUNCTION shop.touch() RENAME TO stamp", &["ROUTINE shop.stamp(): OBJECT_RENAMED name"]),
    ("ALTER TYPE shop.mood ADD VALUE 'happy'", &["TYPE shop.mood: DEFINITION_CHANGED definition"]),
    ("ALTER TYPE shop.mood RENAME VALUE 'ok' TO 'fine'", &["TYPE shop.mood: DEFINITION_CHANGED definition"]),
    ("ALTER TYPE shop.mood RENAME TO feeling", &["TYPE shop.feeling: OBJECT_RENAMED name"]),
    ("ALTER TYPE shop.point2 ADD ATTRIBUTE z integer", &["TYPE shop.point2: COLUMN_ADDED columns/z"]),
    ("ALTER TYPE shop.point2 RENAME ATTRIBUTE z TO height", &["TYPE shop.point2: COLUMN_RENAMED columns/height/name"]),
    (
        "ALTER DOMAIN shop.positive DROP CONSTRAINT positive_check",
        &["TYPE shop.positive: CHECK_DROPPED constraints/positive_check"],
    ),
    ("ALTER SEQUENCE shop.numbers INCREMENT BY 5", &["SEQUENCE shop.numbers: DEFINITION_CHANGED definition"]),
    // whole objects
    ("ALTER TABLE shop.people RENAME TO persons", &["TABLE shop.persons: OBJECT_RENAMED name"]),
    ("ALTER TABLE shop.persons SET SCHEMA other", &["TABLE other.persons: OBJECT_RENAMED schema"]),
    ("ALTER TABLE shop.orders RENAME TO \"Orders & more\"", &["TABLE shop.Orders & more: OBJECT_RENAMED name"]),
    ("ALTER VIEW shop.adults RENAME TO grown", &["VIEW shop.grown: OBJECT_RENAMED name"]),
    ("ALTER SEQUENCE shop.numbers RENAME TO counters", &["SEQUENCE shop.counters: OBJECT_RENAMED name"]),
    (
        "CREATE TABLE shop.fresh (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, t text)",
        &["TABLE shop.fresh: OBJECT_ADDED"],
    ),
    (
        "DROP TABLE shop.fresh; CREATE TABLE shop.fresh (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, t text)",
        &["TABLE shop.fresh: OBJECT_RECREATED native_id"],
    ),
    ("DROP TABLE shop.fresh", &["TABLE shop.fresh: OBJECT_DROPPED", "- TABLE shop.fresh"]),
    ("CREATE TABLE shop.fresh (id integer)", &["TABLE shop.fresh: OBJECT_ADDED"]),
    ("CREATE VIEW shop.fresh_view AS SELECT id FROM shop.fresh", &["VIEW shop.fresh_view: OBJECT_ADDED"]),
    (
        "DROP TABLE shop.fresh CASCADE",
        &[
            "TABLE shop.fresh: OBJECT_DROPPED",
            "- TABLE shop.fresh",
            "VIEW shop.fresh_view: OBJECT_DROPPED",
            "- VIEW shop.fresh_view by shop.fresh",
        ],
    ),
    ("DROP VIEW shop.names", &["VIEW shop.names: OBJECT_DROPPED", "- VIEW shop.names"]),
    (
        "DROP FUNCTION shop.plus(integer, integer)",
        &["ROUTINE shop.plus(integer, integer): OBJECT_DROPPED", "- ROUTINE shop.plus(integer, integer)"],
    ),
    ("CREATE TABLE shop.log_2 PARTITION OF shop.log FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')", &[]),
    ("ALTER TABLE shop.child NO INHERIT shop.parent", &["TABLE shop.child: DEPENDENCY_CHANGED depends_on"]),
    (
        "ALTER SCHEMA other RENAME TO another",
        &["TABLE another.last: OBJECT_RENAMED schema", "TABLE another.persons: OBJECT_RENAMED schema"],
    ),
    (
        "DROP TABLE shop.\"Orders & more\" CASCADE",
        &[
            "TABLE shop.Orders & more: OBJECT_DROPPED",
            "- TABLE shop.Orders & more",
            "- TRIGGER shop.Orders & more.orders_check by shop.Orders & more",
            "MATERIALIZED_VIEW shop.totals: OBJECT_DROPPED",
            "- MATERIALIZED_VIEW shop.totals by shop.Orders & more",
        ],
    ),
    ("CREATE SCHEMA empty", &[]),
    (
        "DROP SCHEMA another CASCADE",
        &[
            "TABLE another.last: OBJECT_DROPPED",
            "- TABLE another.last by another",
            "TABLE another.persons: OBJECT_DROPPED",
            "- TABLE another.persons by another",
            "- TRIGGER another.persons.people_touch by another, another.persons",
            "VIEW shop.grown: OBJECT_DROPPED",
            "- VIEW shop.grown by another.persons",
        ],
    ),
    // nothing that a discovery holds
    ("INSERT INTO shop.parent VALUES (1); ANALYZE", &[]),
    ("GRANT SELECT ON shop.parent TO pg_monitor", &[]),
];

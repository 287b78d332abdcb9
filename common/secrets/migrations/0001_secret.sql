-- The sealed store. Not part of the fold: no event fills it and no rebuild touches it.
CREATE SCHEMA IF NOT EXISTS pursight_secret;
REVOKE ALL ON SCHEMA pursight_secret FROM PUBLIC;

CREATE TABLE IF NOT EXISTS pursight_secret.secret (
    tenant_id text NOT NULL,
    secret_id text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    token text NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, secret_id, version)
);
REVOKE ALL ON pursight_secret.secret FROM PUBLIC;

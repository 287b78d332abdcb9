#!/usr/bin/env bash
# sqlx-prepare.sh: checks every `query!` of common/read_model against a freshly migrated scratch database and writes what
# it learnt to .sqlx, so that builds need no database. Run it after changing a statement or a migration, and commit .sqlx.
#   PURSIGHT_TEST_DATABASE_ADMIN   URL of a superuser on a throw-away server (./dev test-env prints one)
#   --check                        change nothing, fail if .sqlx is not up to date
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
admin=${PURSIGHT_TEST_DATABASE_ADMIN:?must be the URL of a superuser on a throw-away PostgreSQL server}
name=sqlx_prepare_$$
made=$(mktemp -d)

psql -qX "$admin" -c "CREATE DATABASE $name"
trap 'psql -qX "$admin" -c "DROP DATABASE IF EXISTS $name WITH (FORCE)"; rm -rf "$made"' EXIT
base=${admin%%\?*}
scratch=${base%/*}/$name
{
    echo 'CREATE SCHEMA pursight; SET search_path = pursight;'
    cat "$root"/common/read_model/migrations/*.sql
} | psql -qX -v ON_ERROR_STOP=1 "$scratch" -f -

# The macros run when the crate is compiled, so it must be.
touch "$root/common/read_model/src/lib.rs"
cd "$root"
DATABASE_URL="$scratch?options=-csearch_path%3Dpursight" SQLX_OFFLINE=false SQLX_OFFLINE_DIR="$made" \
    cargo build --quiet -p pursight-read-model

if [[ ${1:-} == --check ]]; then
    diff -r "$made" "$root/.sqlx" || { echo ".sqlx is not up to date: run infra/dev/sqlx-prepare.sh and commit it" >&2; exit 1; }
else
    rm -rf "$root/.sqlx"
    mkdir "$root/.sqlx"
    cp "$made"/*.json "$root/.sqlx/"
fi

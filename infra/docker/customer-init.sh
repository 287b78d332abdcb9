#!/usr/bin/env bash
# Runs once inside the customer's image, when its data folder is empty: what infra/dev/sample.sh does on a bare machine.
set -euo pipefail

sql() { psql -X -q -v ON_ERROR_STOP=1 -U postgres "$@"; }

mkdir -p "$PGDATA/tls"
SAMPLE_HOST=customer bash /sample/certificates.sh "$PGDATA/tls"
cp "$PGDATA"/tls/server.{pem,key} "$PGDATA"
cat /sample/postgresql.conf >>"$PGDATA/postgresql.conf"
printf "listen_addresses = '*'\n" >>"$PGDATA/postgresql.conf"
{ cat /sample/pg_hba.conf; echo 'hostssl all all all scram-sha-256'; } >"$PGDATA/pg_hba.conf"

sql -d postgres -v reader_password="$READER_PASSWORD" -v admin_password="$ADMIN_PASSWORD" -f /sample/roles.sql
# The server that runs now was started without our settings, so the statement statistics wait for the next start.
sql -d ledger -f /sample/ledger_extensions.sql
sql -d monitoring -c 'CREATE EXTENSION pg_stat_statements'

zabbix=/sample/packages/zabbix-server-pgsql/usr/share/zabbix-server-pgsql
{ echo 'SET ROLE zabbix;'; gzip -dc "$zabbix"/{schema,images,data}.sql.gz; } | sql -1 -d monitoring >/dev/null

ledger=/sample/packages/ledgersmb/usr/share/ledgersmb/sql
{
    echo 'SET ROLE ledgersmb;'
    cat "$ledger/Pg-database.sql"
    grep -E '^[^#]+\.sql$' "$ledger/modules/LOADORDER" | while read -r module; do cat "$ledger/modules/$module"; done
} | sql -v ON_ERROR_STOP=0 -d ledger >/dev/null 2>&1

for database in monitoring ledger; do sql -d "$database" -f /sample/reader.sql >/dev/null; done

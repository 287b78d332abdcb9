# PostgreSQL clusters of our own: made, started, stopped, spoken to. The read-model database is one of them.
# shellcheck shell=bash

cluster_running() {
    local pid
    [[ -s $STATE/$1/data/postmaster.pid ]] || return 1
    read -r pid <"$STATE/$1/data/postmaster.pid"
    ! gone "$pid" && grep -q postgres "/proc/$pid/comm"
}

# make_cluster NAME HBA CONF: initdb under .dev/NAME with our two files. The socket folder is closed to other users, which
# is why "local ... trust" is safe there.
make_cluster() {
    local name=$1
    server_folder "$name"
    step "making the PostgreSQL cluster .dev/$name"
    as_server rm -rf "$name/data" "$name/new"
    as_server "$(postgres_bin)/initdb" -D "$name/new" -U postgres -A reject --no-instructions -E UTF8 --locale=C.UTF-8 \
        --no-sync >"$STATE/log/initdb-$name.log" 2>&1 || die "initdb failed" "see .dev/log/initdb-$name.log"
    as_server tee "$name/new/pg_hba.conf" <"$2" >/dev/null
    as_server tee -a "$name/new/postgresql.conf" <"$3" >/dev/null
    as_server mkdir -p -m 0700 "$name/run"
    as_server mv "$name/new" "$name/data"
}

# start_cluster NAME PORT
start_cluster() {
    cluster_running "$1" && return
    port_free "$2" "$1"
    step "starting PostgreSQL (.dev/$1) on 127.0.0.1:$2"
    as_server "$(postgres_bin)/pg_ctl" start -D "$1/data" -l "$1/server.log" -s -w -t 60 -o "-p $2 -k $STATE/$1/run" 9>&- ||
        die "PostgreSQL (.dev/$1) did not start" "see .dev/$1/server.log"
}

stop_cluster() {
    cluster_running "$1" || return 0
    step "stopping PostgreSQL (.dev/$1)"
    as_server "$(postgres_bin)/pg_ctl" stop -D "$1/data" -s -m fast -w -t 60 || die "PostgreSQL (.dev/$1) did not stop" "see .dev/$1/server.log"
}

# superuser_sql NAME DATABASE [PSQL ARGS...]: SQL as the cluster's superuser over its socket; a script comes on stdin.
superuser_sql() {
    local name=$1 database=$2 port=PORT_${1^^}
    shift 2
    as_server "$(postgres_bin)/psql" -X -q -v ON_ERROR_STOP=1 -h "$STATE/$name/run" -p "${!port}" -U postgres -d "$database" "$@"
}

# The read-model database: its owner is the role that the product uses. It may create roles because the
# migrations make the gateway's role and direct logins.
start_postgres() {
    if [[ ! -e $STATE/postgres/ready ]]; then
        stop_cluster postgres
        make_cluster postgres infra/postgres/pg_hba.conf infra/postgres/postgresql.conf
    fi
    start_cluster postgres "$PORT_POSTGRES"
    [[ -e $STATE/postgres/ready ]] && return
    random_hex 16 | private_file "$STATE/postgres/superuser.password"
    random_hex 16 | private_file "$STATE/postgres/pursight.password"
    superuser_sql postgres postgres >/dev/null <<SQL
ALTER ROLE postgres PASSWORD '$(<"$STATE/postgres/superuser.password")';
CREATE ROLE pursight LOGIN CREATEROLE PASSWORD '$(<"$STATE/postgres/pursight.password")';
CREATE DATABASE pursight OWNER pursight;
SQL
    touch "$STATE/postgres/ready"
}

database_url() {
    echo "postgres://pursight:$(<"$STATE/postgres/pursight.password")@127.0.0.1:$PORT_POSTGRES/pursight"
}

superuser_url() {
    echo "postgres://postgres:$(<"$STATE/postgres/superuser.password")@127.0.0.1:$PORT_POSTGRES/postgres"
}

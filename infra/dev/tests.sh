# Everything that is tested, and the settings that tests need.
# shellcheck shell=bash

# Prints the exports of PURSIGHT_TEST_*; the servers must have been started once.
test_env() {
    state_exists && [[ -s $STATE/ports ]] || die "the servers were never started here" "./dev servers"
    read_ports
    local target=${CARGO_TARGET_DIR:-$ROOT/target}
    export_line KAFKA "127.0.0.1:$PORT_KAFKA"
    export_line DATABASE_ADMIN "postgres://postgres:$(<"$STATE/postgres/superuser.password")@127.0.0.1:$PORT_POSTGRES/postgres"
    export_line CUSTOMER_HOST localhost
    export_line CUSTOMER_PORT "$PORT_CUSTOMER"
    export_line CUSTOMER_ADMIN "postgres://sample_admin:$(<"$STATE/customer/admin.password")@127.0.0.1:$PORT_CUSTOMER/postgres"
    export_line CUSTOMER_PASSWORD_FILE "$STATE/customer/reader.password"
    export_line CUSTOMER_TLS_DIR "$STATE/customer/tls"
    export_line PG_BIN "$(postgres_bin)"
    export_line UNPRIVILEGED_USER "$SERVER_USER"
    export_line PYTHON "$STATE/venv/bin/python"
    export_line PURSIGHT "$target/debug/pursight"
}

export_line() { printf 'export PURSIGHT_TEST_%s=%q\n' "$1" "$2"; }

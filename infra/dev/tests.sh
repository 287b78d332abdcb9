# Everything that is tested, and the settings that tests need.
# shellcheck shell=bash

# For people: the exports, with what they name in place.
print_test_env() {
    if ! state_exists || ! servers_running; then die "the servers do not run" "./dev servers"; fi
    read_ports
    make_venv
    test_env
}

# Prints the exports of PURSIGHT_TEST_*.
test_env() {
    export_line KAFKA_LIBS "$STATE/kafka/libs"
    export_line KAFKA "127.0.0.1:$PORT_KAFKA"
    export_line DATABASE_ADMIN "$(superuser_url)"
    export_line CUSTOMER_HOST localhost
    export_line CUSTOMER_PORT "$PORT_CUSTOMER"
    export_line CUSTOMER_ADMIN "postgres://sample_admin:$(<"$STATE/customer/admin.password")@127.0.0.1:$PORT_CUSTOMER/postgres"
    export_line CUSTOMER_PASSWORD_FILE "$STATE/customer/reader.password"
    export_line CUSTOMER_TLS_DIR "$STATE/customer/tls"
    export_line PG_BIN "$(postgres_bin)"
    export_line UNPRIVILEGED_USER "$SERVER_USER"
    export_line PYTHON "$STATE/venv/bin/python"
    export_line PURSIGHT "$(target_folder)/debug/pursight"
}

export_line() { printf 'export PURSIGHT_TEST_%s=%q\n' "$1" "$2"; }

# Python with the clients and emulators that tests use, in .dev/venv; anew when the list changes.
make_venv() {
    local want
    want=$(cksum <infra/dev/requirements.txt)
    [[ -r $STATE/venv/stamp && $(<"$STATE/venv/stamp") == "$want" ]] && return
    step "making a Python environment for the tests"
    rm -rf "$STATE/venv"
    python3 -m venv "$STATE/venv" || die "python3 -m venv failed" "is the package python3-venv installed?"
    "$STATE/venv/bin/pip" install -q --disable-pip-version-check -r infra/dev/requirements.txt >&2 || die "pip could not install the tests' packages"
    echo "$want" >"$STATE/venv/stamp"
}

# Servers and settings for programs that test. The servers are shared with a running system: each test makes its own
# topics and databases. What we started must not stay, whatever happens; settings of a system that somebody uses are not
# for tests.
prepare_tests() {
    install_packages
    if ! servers_running; then trap 'stop_servers 2>>"$STATE/log/dev.log"' EXIT; fi
    start_servers
    make_venv
    unset "${!PURSIGHT_@}"
    local exports
    exports=$(test_env)
    eval "$exports"
}

run_tests() {
    prepare_tests
    step "building all targets"
    cargo build --workspace --all-targets >&2
    # Not stopping at the first failure: a run takes long, and shall show all that is wrong. Cargo is the last to speak, so
    # that its summary ends the output.
    step "testing"
    # An error that ends a test says what is wrong; with the stack of each, several of them do not fit on a page.
    export RUST_LIB_BACKTRACE=0
    cargo test --workspace --no-fail-fast "$@"
}

# What a pull request must pass. Every gate runs, so that one call shows all that is wrong.
# shellcheck shell=bash

run_checks() {
    install_packages
    open_state
    local -a failed=()
    gate "format" cargo fmt --all --check
    gate "lints" cargo clippy --workspace --all-targets -- -D warnings
    gate "documentation" env RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps
    gate "licences, bans, sources, advisories" check_dependencies
    gate "schemas" check_schemas
    gate "statements of the read model" check_statements
    if command -v shellcheck >/dev/null; then gate "shell" shellcheck dev infra/dev/*.sh infra/sample/*.sh .ci/run; fi
    ((${#failed[@]} == 0)) || die "failed: $(printf '%s; ' "${failed[@]}")"
    step "all checks passed"
}

# gate NAME COMMAND...
gate() {
    local name=$1
    shift
    step "$name"
    ("$@") >&2 || failed+=("$name")
}

check_dependencies() {
    local deny=$STATE/tools/bin/cargo-deny
    if [[ ! -x $deny ]]; then
        step "installing cargo-deny (minutes, once)"
        CARGO_TARGET_DIR=$STATE/tools/target cargo install -q cargo-deny --locked --root "$STATE/tools" || return
        rm -rf "$STATE/tools/target"
    fi
    "$deny" --all-features check bans licenses sources || return
    "$deny" fetch db >"$STATE/log/advisories.log" 2>&1 || {
        say "     the advisory database cannot be reached from here: advisories were NOT checked (.dev/log/advisories.log)"
        return 0
    }
    "$deny" --all-features check advisories
}

# Every statement against a freshly migrated database, as in .sqlx.
check_statements() {
    read_ports
    local ours=1 result=0
    if cluster_running postgres; then ours=0; fi
    start_postgres
    PURSIGHT_TEST_DATABASE_ADMIN=$(superuser_url) bash infra/dev/sqlx-prepare.sh --check || result=$?
    if ((ours)); then stop_cluster postgres; fi
    return "$result"
}

check_schemas() {
    build_pursight && "$STATE/bin/pursight" schema check schemas/avro
}

# schemas publish: the only way to add a version of a record; it refuses an incompatible one.
run_schemas() {
    [[ $# -eq 1 && $1 == publish ]] || die "schemas knows only: publish"
    install_packages
    cargo run -q -p pursight-schemas --bin publish
}

# Measuring. Release builds of the product and of what measures it, in the same target folder.
# shellcheck shell=bash

# run_bench [SUITE...] [--json] [--runs N] [--minutes M] [--rate R]
run_bench() {
    install_packages
    # What we started must not stay, whatever happens.
    if ! servers_running; then trap 'stop_servers 2>>"$STATE/log/dev.log"' EXIT; fi
    start_servers
    make_venv
    unset "${!PURSIGHT_@}"
    local exports
    exports=$(test_env)
    eval "$exports"
    step "building a release (minutes at first)"
    cargo build --release --workspace >&2 || die "the build failed" "the compiler's messages are above"
    local release
    release=$(target_folder)/release
    export PURSIGHT_TEST_PURSIGHT=$release/pursight
    step "measuring; let nothing else run beside it"
    "$release/pursight-bench" "$@"
}

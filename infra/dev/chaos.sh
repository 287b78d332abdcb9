# The chaos harness: the whole system under kills and restarts, on servers of its own, and a judge.
# shellcheck shell=bash

# run_chaos ARGS...: the arguments are the program's own (./dev chaos --help).
run_chaos() {
    if [[ ${1:-} != judge && " $* " != *' --help '* ]]; then
        install_packages
        if ! servers_running; then trap 'stop_servers 2>>"$STATE/log/dev.log"' EXIT; fi
        start_servers
        unset "${!PURSIGHT_@}"
        local exports
        exports=$(test_env)
        eval "$exports"
    fi
    step "building"
    cargo build --workspace --quiet >&2
    "$(target_folder)/debug/pursight-chaos" "$@"
}

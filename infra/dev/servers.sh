# The three servers together: started, stopped, shown.
# shellcheck shell=bash

start_servers() {
    open_state
    lock_state
    read_ports
    start_kafka
    start_postgres
    start_customer
    unlock_state
}

servers_running() {
    state_exists && kafka_running && cluster_running postgres && cluster_running customer
}

stop_servers() {
    stop_kafka
    stop_cluster postgres
    stop_cluster customer
}

# stop_all [--wipe]
stop_all() {
    [[ $# -eq 0 || ($# -eq 1 && $1 == --wipe) ]] || die "down knows only --wipe"
    if state_exists; then
        lock_state
        stop_pursight
        stop_servers
        unlock_state
    fi
    [[ ${1:-} != --wipe ]] || wipe
}

wipe() {
    step "removing .dev"
    if [[ -L .dev ]]; then rm -rf "$(readlink -f .dev)"; fi
    rm -rf .dev
}

show_status() {
    if ! state_exists || [[ ! -s .dev/ports ]]; then
        echo "nothing was started here yet: ./dev up"
        return
    fi
    read_ports
    show_line "Kafka" "127.0.0.1:$PORT_KAFKA" kafka_running
    show_line "read-model database" "127.0.0.1:$PORT_POSTGRES" cluster_running postgres
    show_line "sample customer server" "127.0.0.1:$PORT_CUSTOMER" cluster_running customer
    show_line "pursight run all" "127.0.0.1:$PORT_HTTP" pursight_running
}

# show_line WHAT WHERE COMMAND...
show_line() {
    local what=$1 where=$2 state=stopped
    shift 2
    if "$@"; then state=running; fi
    printf '%-24s %-18s %s\n' "$what" "$where" "$state"
}

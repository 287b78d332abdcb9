# The state folder .dev, its lock and its ports.
# shellcheck shell=bash

# A socket's whole path may have 107 bytes; what we append is shorter than 40.
SOCKET_ROOM=67

# Sets STATE to the real folder behind .dev, and makes it if it is missing. It lies elsewhere (and .dev is a link to it)
# when the server user cannot reach the clone, as under root's home, or when its path is too long for a socket.
# The name there carries a checksum of the clone's path, so that two clones never share one.
open_state() {
    if [[ -L .dev && ! -d .dev ]]; then rm .dev; fi
    if [[ ! -d .dev ]]; then
        if reachable "$ROOT" && ((${#ROOT} + 5 <= SOCKET_ROOM)); then
            mkdir .dev
        else
            local elsewhere
            elsewhere=$(elsewhere)
            mkdir -m 0755 "$elsewhere" || die "$elsewhere is already there and no longer linked" "remove it if it is yours"
            ln -s "$elsewhere" .dev
            say "     state lies in $elsewhere (.dev is a link): $SERVER_USER cannot use $ROOT"
        fi
    fi
    STATE=$(readlink -f .dev)
    mkdir -p "$STATE/log" "$STATE/cache"
}

# state_exists: sets STATE without making anything.
state_exists() {
    [[ -d .dev ]] || return 1
    STATE=$(readlink -f .dev)
}

elsewhere() { printf '/var/tmp/pursight-dev-%s\n' "$(printf '%s' "$ROOT" | cksum | cut -d' ' -f1)"; }

reachable() {
    ((EUID != 0)) || setpriv --reuid="$SERVER_USER" --regid="$SERVER_USER" --init-groups test -x "$1"
}

# Two calls of ./dev at once would start two brokers: one waits for the other. Children that stay must close fd 9.
lock_state() {
    exec 9>"$STATE/lock"
    flock -n 9 || { say "     waiting for another ./dev"; flock 9; }
}

unlock_state() { exec 9>&-; }

# Sets PORT_KAFKA, PORT_KAFKA_CONTROLLER, PORT_POSTGRES, PORT_CUSTOMER, PORT_HTTP: chosen free at first, then remembered.
read_ports() {
    local name
    if [[ ! -s $STATE/ports ]]; then
        local -A taken=()
        for name in KAFKA KAFKA_CONTROLLER POSTGRES CUSTOMER HTTP; do
            local port
            # Below the range the system takes ports for outgoing connections from.
            until port=$((20000 + RANDOM % 12000)) && [[ -z ${taken[$port]:-} ]] && ! listening "$port"; do :; done
            taken[$port]=1
            echo "PORT_$name=$port"
        done >"$STATE/ports.new"
        mv "$STATE/ports.new" "$STATE/ports"
    fi
    # shellcheck source=/dev/null
    source "$STATE/ports"
}

# server_folder NAME: a folder that belongs to the server user.
server_folder() {
    [[ -d $STATE/$1 ]] && return
    mkdir -p "$STATE/$1"
    ((EUID != 0)) || chown "$SERVER_USER:" "$STATE/$1"
}

# port_free PORT WHAT
port_free() {
    ! listening "$1" || die "port $1, chosen for $2, is taken by another program" \
        "stop that program, or give $2 another port in .dev/ports"
}

# private_file PATH: writes stdin to a file that only its owner reads.
private_file() { (umask 077 && cat >"$1"); }

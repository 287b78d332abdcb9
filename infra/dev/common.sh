# Speaking, failing, waiting, and running things as the right user. Knows nothing of Kafka or PostgreSQL.
# shellcheck shell=bash

say() { printf '%s\n' "$*" >&2; }
step() { printf '==> %s\n' "$*" >&2; }

# die PROBLEM [REMEDY]
die() {
    printf 'dev: %s\n' "$1" >&2
    [[ $# -gt 1 ]] && printf '     %s\n' "$2" >&2
    exit 1
}

# The user that servers run as: PostgreSQL refuses root.
if ((EUID == 0)); then SERVER_USER=postgres; else SERVER_USER=$(id -un); fi

# Runs a command as root: directly, or through sudo.
as_root() {
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this needs root: $*" "run it as root, or install sudo and allow it for $(id -un)"
    fi
}

# Runs a command as the server user, in the state folder and with a plain environment.
as_server() (
    cd "$STATE" || exit
    if ((EUID == 0)); then
        exec setpriv --reuid="$SERVER_USER" --regid="$SERVER_USER" --init-groups \
            env -u XDG_RUNTIME_DIR HOME="$STATE" USER="$SERVER_USER" LOGNAME="$SERVER_USER" "$@"
    fi
    exec "$@"
)

# wait_until SECONDS COMMAND...: true as soon as the command is; false when the time is over.
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.1
    done
}

# listening PORT: something accepts connections there.
listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# random_hex BYTES
random_hex() { od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }

# running PIDFILE WORD: the process of that file lives and its command line contains WORD (pids are used again).
running() {
    local pid
    [[ -s $1 ]] || return 1
    read -r pid <"$1" || true
    [[ -r /proc/$pid/cmdline ]] && tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF -- "$2"
}

# stop_process PIDFILE WORD SECONDS: SIGTERM, then SIGKILL when the time is over.
stop_process() {
    local pid
    if running "$1" "$2"; then
        read -r pid <"$1"
        kill -TERM "$pid" 2>/dev/null || true
        if ! wait_until "$3" gone "$pid"; then
            say "     pid $pid did not stop in $3 s: killed"
            kill -KILL "$pid" 2>/dev/null || true
            wait_until 10 gone "$pid" || die "pid $pid cannot be stopped"
        fi
    fi
    rm -f "$1"
}

# A zombie counts as gone: in a container nobody may be there to collect it.
gone() { [[ ! -e /proc/$1 ]] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }

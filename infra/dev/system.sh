# PurSight itself: built, given its keys and settings, started and stopped.
# shellcheck shell=bash

# Builds everything in one profile. The whole workspace and not only the executable, because a part would be built with
# other features and the C libraries once more for the tests.
build_pursight() {
    step "building pursight (minutes at first)"
    cargo build --workspace >&2 || die "the build failed" "the compiler's messages are above"
    mkdir -p "$STATE/bin"
    ln -sfn "$(target_folder)/debug/pursight" "$STATE/bin/pursight"
}

# Where cargo puts things, whatever the environment or its configuration say.
target_folder() { cargo metadata --format-version 1 --no-deps --offline | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'; }

# Secret keys first: they must never be world-readable, not even for a moment.
make_keys() {
    local keys=$STATE/keys
    (umask 077 && mkdir -p "$keys")
    [[ -s $keys/secret.keys ]] || head -c 32 /dev/urandom | base64 | tr '+/' '-_' | private_file "$keys/secret.keys"
    [[ -s $keys/signing.pem && -s $keys/trusted.json ]] && return
    step "making a signing key"
    rm -f "$keys/signing.pem" "$keys/trusted.json"
    PURSIGHT_TRUSTED_KEYS=$keys/trusted.json pursight keys create --issuer dev --tenant '*' \
        --permission scan.view --permission scan.create --permission scan.edit --permission scan.delete \
        --out "$keys/signing.pem" >&2 || die "the signing key could not be made"
}

# .dev/env, for people and programs. It holds the database's password, so only its owner reads it. It remembers in
# DEV_ENV_NAMES what it set: that is no wish of the user's, and must not win over the next .dev/env.
# shellcheck disable=SC2016
write_env() {
    {
        echo '# Made by ./dev up. What is set in your environment already wins.'
        echo '[ -z "${DEV_ENV_NAMES:-}" ] || eval "unset $DEV_ENV_NAMES"'
        echo 'DEV_ENV_NAMES='
        setting KAFKA_BOOTSTRAP "127.0.0.1:$PORT_KAFKA"
        setting DATABASE_URL "$(database_url)"
        setting TOPIC_PREFIX pursight
        setting TENANT demo
        setting PRINCIPAL "$(id -un)"
        setting ISSUER dev
        setting SIGNING_KEY "$STATE/keys/signing.pem"
        setting TRUSTED_KEYS "$STATE/keys/trusted.json"
        setting SECRET_KEYS_FILE "$STATE/keys/secret.keys"
        setting EGRESS_ALLOW 127.0.0.0/8,::1/128
        echo 'export DEV_ENV_NAMES'
        printf 'case ":$PATH:" in *:%q:*) ;; *) export PATH=%q:"$PATH" ;; esac\n' "$STATE/bin" "$STATE/bin"
    } | private_file "$STATE/env"
}

# setting NAME VALUE
# shellcheck disable=SC2016
setting() {
    printf '[ -n "${PURSIGHT_%s:-}" ] || { export PURSIGHT_%s=%q; DEV_ENV_NAMES="$DEV_ENV_NAMES PURSIGHT_%s"; }\n' "$1" "$1" "$2" "$1"
}

pursight_running() { running "$STATE/pursight.pid" 'pursight run'; }

# What an older build started is replaced.
start_pursight() {
    local log=$STATE/log/pursight.log
    if pursight_running; then
        if [[ ! $STATE/bin/pursight -nt $STATE/pursight.pid ]]; then return; fi
        stop_pursight
    fi
    # Not in .dev/env, where a second `pursight run` would find it and want the same port.
    export PURSIGHT_HTTP_LISTEN=127.0.0.1:$PORT_HTTP
    port_free "$PORT_HTTP" "pursight's health endpoint"
    step "starting pursight run all; its log is .dev/log/pursight.log"
    # shellcheck disable=SC2016
    setsid bash -c 'echo $$ >"$0"; exec pursight run all' "$STATE/pursight.pid" >>"$log" 2>&1 </dev/null 9>&- &
    if ! wait_until 90 pursight_ready_or_dead || ! pursight_ready; then
        tail -n 15 "$log" >&2
        die "pursight is not ready" "see .dev/log/pursight.log, and try: source .dev/env; pursight doctor"
    fi
}

pursight_ready_or_dead() { pursight_ready || { [[ -s $STATE/pursight.pid ]] && ! pursight_running; }; }

pursight_ready() {
    local answer
    answer=$(exec 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$PORT_HTTP" && printf 'GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3 && head -1 <&3) || return 1
    [[ $answer == *' 200 '* ]]
}

stop_pursight() {
    if pursight_running; then step "stopping pursight"; fi
    stop_process "$STATE/pursight.pid" 'pursight run' 60
}

# up: everything, in order. Each step does nothing where it was done before.
start_system() {
    start_servers
    build_pursight
    lock_state
    write_env
    # shellcheck source=/dev/null
    source "$STATE/env"
    make_keys
    step "topics and tables"
    pursight topics apply >&2 || die "the topics could not be made"
    pursight migrate >&2 || die "the read model could not be migrated"
    start_pursight
    unlock_state
}

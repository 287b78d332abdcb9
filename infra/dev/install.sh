# What must be on the machine: found if it is there, installed with apt if not.
# shellcheck shell=bash

RUST_MINOR=95

# Prints the apt packages that are missing, by looking for what they bring.
missing_packages() {
    postgres_bin >/dev/null || echo postgresql postgresql-contrib
    java_major_at_least 17 || echo openjdk-17-jre-headless
    command -v mvn >/dev/null || echo maven
    command -v cc >/dev/null && command -v c++ >/dev/null && command -v make >/dev/null || echo build-essential
    command -v pkg-config >/dev/null || echo pkg-config
    [[ -e /usr/include/zlib.h ]] || echo zlib1g-dev
    [[ -e /usr/include/openssl/ssl.h ]] || echo libssl-dev
    command -v openssl >/dev/null || echo openssl
    python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3 python3-venv
    [[ -e /etc/ssl/certs/ca-certificates.crt ]] || echo ca-certificates
}

# Prints the folder of the newest PostgreSQL server on this machine.
postgres_bin() {
    local initdb
    initdb=$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -1)
    [[ -x $initdb && -x ${initdb%/*}/psql ]] && echo "${initdb%/*}"
}

java_major_at_least() {
    local major
    major=$(java -XX:-UsePerfData -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -1) || return 1
    [[ -n $major ]] && ((major >= $1))
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -q -y \
        install --no-install-recommends "$@" >&2
}

install_packages() {
    local -a missing
    mapfile -t missing < <(missing_packages | tr ' ' '\n')
    if ((${#missing[@]})); then
        command -v apt-get >/dev/null || die "missing: ${missing[*]}" "this machine has no apt-get: install them by hand"
        step "installing ${missing[*]}"
        as_root apt-get -q update >&2
        if [[ " ${missing[*]} " == *" postgresql "* ]]; then prevent_system_cluster; fi
        apt_install "${missing[@]}"
    fi
    install_rust
    postgres_bin >/dev/null || die "PostgreSQL was installed, but /usr/lib/postgresql/*/bin/initdb is not there"
}

# We bring our own clusters: the package must not make and start one for the system when we are the reason it comes.
prevent_system_cluster() {
    apt_install postgresql-common
    as_root sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
}

install_rust() {
    local remedy="install Rust 1.$RUST_MINOR or newer with rustup, as the Rust project's installation page says, and call ./dev again"
    if ! command -v cargo >/dev/null && [[ -x $HOME/.cargo/bin/cargo ]]; then PATH=$HOME/.cargo/bin:$PATH; fi
    if ! command -v cargo >/dev/null; then
        apt-cache policy rustup 2>/dev/null | grep -q 'Candidate: [0-9]' || die "cargo is missing" "$remedy"
        step "installing rustup"
        apt_install rustup
        rustup default stable >&2 || die "rustup could not install a toolchain" "$remedy"
    fi
    local version
    version=$(cargo --version) || die "cargo does not run" "$remedy"
    [[ $version =~ ^cargo\ ([0-9]+)\.([0-9]+) ]] || die "cargo says '$version'" "$remedy"
    ((BASH_REMATCH[1] > 1 || BASH_REMATCH[2] >= RUST_MINOR)) || die "Rust is too old: $version" "$remedy"
}

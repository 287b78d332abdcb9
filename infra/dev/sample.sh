# The sample customer: a PostgreSQL server of its own with TLS, SCRAM and two databases of real products (infra/sample).
# shellcheck shell=bash

SAMPLE_PACKAGES=(zabbix-server-pgsql ledgersmb)

start_customer() {
    if [[ ! -e $STATE/customer/ready ]]; then
        # A load that was interrupted is not repaired but made anew.
        stop_cluster customer
        make_cluster customer infra/sample/pg_hba.conf infra/sample/postgresql.conf
        make_certificates
    fi
    start_cluster customer "$PORT_CUSTOMER"
    [[ -e $STATE/customer/ready ]] || load_sample
}

# .dev/customer/tls: what infra/sample/certificates.sh says. The server reads its own copy, since it must own its key.
make_certificates() {
    local tls=$STATE/customer/tls log=$STATE/log/certificates.log
    rm -rf "$tls"
    mkdir -p "$tls"
    bash infra/sample/certificates.sh "$tls" >"$log" 2>&1 || die "openssl could not make the certificates" "see .dev/log/certificates.log"
    local name
    for name in pem key; do as_server tee "customer/data/server.$name" <"$tls/server.$name" >/dev/null; done
    as_server chmod 0600 customer/data/server.key
}

load_sample() {
    random_hex 16 | private_file "$STATE/customer/reader.password"
    random_hex 16 | private_file "$STATE/customer/admin.password"
    fetch_sample
    step "loading the customer's databases: monitoring (Zabbix) and ledger (LedgerSMB)"
    local password_reader password_admin
    password_reader=$(<"$STATE/customer/reader.password")
    password_admin=$(<"$STATE/customer/admin.password")
    {
        printf "\\\\set reader_password '%s'\n\\\\set admin_password '%s'\n" "$password_reader" "$password_admin"
        cat infra/sample/roles.sql
    } | superuser_sql customer postgres >/dev/null
    superuser_sql customer monitoring -c 'CREATE EXTENSION pg_stat_statements'
    superuser_sql customer ledger >/dev/null <infra/sample/ledger_extensions.sql
    load_monitoring
    load_ledger
    local database
    for database in monitoring ledger; do superuser_sql customer "$database" >/dev/null <infra/sample/reader.sql; done
    touch "$STATE/customer/ready"
}

# Downloaded and unpacked, never installed: only their SQL is wanted.
fetch_sample() {
    local package cache=$STATE/cache
    for package in "${SAMPLE_PACKAGES[@]}"; do
        [[ -d $cache/$package ]] && continue
        step "fetching $package for its schema"
        apt-cache show "$package" >/dev/null 2>&1 || as_root apt-get -q update >&2
        rm -rf "$cache/$package.new"
        mkdir -p "$cache/$package.new"
        # _apt, which apt would drop to, may not write here; the warning about that says nothing to the reader.
        (cd "$cache/$package.new" && apt-get -q -o APT::Sandbox::User="$(id -un)" download "$package" >&2 && dpkg-deb -x ./*.deb . && rm ./*.deb) ||
            die "the package $package cannot be had" "is the network there? try: apt-get download $package"
        mv "$cache/$package.new" "$cache/$package"
    done
}

load_monitoring() {
    local folder=$STATE/cache/zabbix-server-pgsql/usr/share/zabbix-server-pgsql
    {
        echo 'SET ROLE zabbix;'
        gzip -dc "$folder/schema.sql.gz" "$folder/images.sql.gz" "$folder/data.sql.gz"
    } | superuser_sql customer monitoring -1 >"$STATE/log/monitoring.log" 2>&1 || die "monitoring could not be loaded" "see .dev/log/monitoring.log"
}

# LedgerSMB's modules expect changes that only its own installer makes; those that miss one roll back whole, which is why
# errors do not stop this load. What must be there is counted afterwards.
load_ledger() {
    local folder=$STATE/cache/ledgersmb/usr/share/ledgersmb/sql module tables
    {
        echo 'SET ROLE ledgersmb;'
        cat "$folder/Pg-database.sql"
        while read -r module; do
            if [[ $module == *.sql && $module != '#'* ]]; then cat "$folder/modules/$module"; fi
        done <"$folder/modules/LOADORDER"
    } | superuser_sql customer ledger -v ON_ERROR_STOP=0 >"$STATE/log/ledger.log" 2>&1 || die "ledger could not be loaded" "see .dev/log/ledger.log"
    tables=$(superuser_sql customer ledger -At -c "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    ((tables >= 160)) || die "ledger has only $tables tables" "see .dev/log/ledger.log"
}

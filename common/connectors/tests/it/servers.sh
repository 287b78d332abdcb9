# Four PostgreSQL servers for one test binary: with a good certificate, with an expired one, without TLS, and a standby.
# Arguments: bin folder, a password, four ports. Says READY and its folder; ends with its standard input.
set -eu
bin=$1 password=$2 good=$3 expired=$4 plain=$5 standby=$6
dir=$(mktemp -d /tmp/pursight-connectors-XXXXXX)
trap 'for each in good stale plain standby; do "$bin/pg_ctl" -D "$dir/$each" -m fast -s stop >/dev/null 2>&1 || true; done; rm -rf "$dir"' EXIT
cd "$dir"

authority() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=$2" -keyout "$1.key" -out "$1.crt"; }
# certificate NAME AUTHORITY DAYS ALTERNATIVE-NAMES
certificate() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr"
    printf 'subjectAltName=%s\n' "$4" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA "$2.crt" -CAkey "$2.key" -CAcreateserial -days "$3" -extfile "$1.ext" -out "$1.crt"
}
{
    authority ca "Test Authority"
    authority other "Another Authority"
    certificate server ca 30 DNS:localhost,DNS:db.example.com
    certificate stale ca -1 DNS:localhost
    certificate client ca 30 DNS:client
} 2>openssl.log || { cat openssl.log >&2; exit 1; }

"$bin/initdb" -D good -U postgres -A trust -E UTF8 --no-locale -N >initdb.log 2>&1 || { cat initdb.log >&2; exit 1; }
cat >good/pg_hba.conf <<'RULES'
hostnossl all        postgres  127.0.0.1/32 trust
hostssl   all        cleartext 127.0.0.1/32 password
hostssl   all        certified 127.0.0.1/32 scram-sha-256 clientcert=verify-ca
hostssl   all        unlisted  127.0.0.1/32 reject
hostssl   all        hashed    127.0.0.1/32 md5
host      all        all       127.0.0.1/32 scram-sha-256
RULES
cat >>good/postgresql.conf <<SETTINGS
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
shared_buffers = 16MB
max_connections = 60
ssl_ca_file = '$dir/ca.crt'
SETTINGS
# A standby takes no new roles: this one is there before it is copied.
echo "CREATE ROLE everywhere LOGIN PASSWORD '$password'" | "$bin/postgres" --single -D good postgres >single.log 2>&1
cp -a good standby
touch standby/standby.signal
cp -a good stale
cp -a good plain
# Returns when the server takes connections. Its output goes to its own log: whoever reads ours would wait for its end.
start() { "$bin/pg_ctl" -D "$1" -l "$1.log" -s -w -t 60 -o "$2" start >"$1.ctl" 2>&1 || { cat "$1.ctl" "$1.log" >&2; exit 1; }; }
tls() { echo "-c ssl=on -c ssl_cert_file=$dir/$1.crt -c ssl_key_file=$dir/$1.key"; }
start good "-p $good $(tls server)"
start stale "-p $expired $(tls stale)"
start plain "-p $plain"
start standby "-p $standby $(tls server)"
echo "READY $dir"
cat >/dev/null

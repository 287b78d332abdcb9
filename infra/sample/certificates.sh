#!/usr/bin/env bash
# certificates.sh FOLDER: makes a small world of certificates for the sample server and for tests.
# SAMPLE_HOST adds one more name to those that say "for the same names".
#   ca.pem                      the authority that customers' settings trust
#   server.pem, server.key      for localhost, 127.0.0.1 and ::1, valid
#   expired.pem, expired.key    the same names and authority, no longer valid
#   wronghost.pem, wronghost.key  the same authority, for elsewhere.invalid only
#   other-ca.pem                another authority
#   other.pem, other.key        for the same names, from the other authority
set -euo pipefail
cd "$1"

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

authority() { # NAME SUBJECT
    key "$1.key"
    openssl req -x509 -new -key "$1.key" -sha256 -days 3650 -subj "/CN=$2" -out "$1.pem" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
}

# `openssl ca`, because `openssl x509` cannot write a date of the past.
certificate() { # AUTHORITY NAME FROM UNTIL ALTERNATIVE-NAMES
    key "$2.key"
    openssl req -new -key "$2.key" -subj "/CN=sample customer" -out "$2.csr"
    : >index.txt
    mkdir -p issued
    cat >ca.conf <<CONF
[ca]
default_ca = sample
[sample]
new_certs_dir = issued
database = index.txt
default_md = sha256
rand_serial = yes
policy = any
unique_subject = no
x509_extensions = server
[any]
commonName = supplied
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = $5
CONF
    openssl ca -batch -notext -config ca.conf -cert "$1.pem" -keyfile "$1.key" -startdate "$3" -enddate "$4" -in "$2.csr" -out "$2.pem"
}

here=DNS:localhost,IP:127.0.0.1,IP:::1${SAMPLE_HOST:+,DNS:$SAMPLE_HOST}
from=20200101000000Z
until=20491231235959Z
authority ca "Sample customer CA"
authority other-ca "Another CA"
certificate ca server "$from" "$until" "$here"
certificate ca expired "$from" 20210101000000Z "$here"
certificate ca wronghost "$from" "$until" DNS:elsewhere.invalid
certificate other-ca other "$from" "$until" "$here"
rm -rf issued ./*.csr ca.conf index.txt*
chmod 0644 ./*.pem
chmod 0600 ./*.key

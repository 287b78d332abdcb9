#!/usr/bin/env bash
# RUSTC_WRAPPER of `./dev fuzz`: coverage for the crates that read what others wrote, and none for all others, whose
# counters would only cost time. Works with a stable compiler. Not serde_json, which compiler plug-ins are linked with too.
set -euo pipefail

name=''
previous=''
for word in "$@"; do
    if [[ $previous == --crate-name ]]; then name=$word; fi
    previous=$word
done

case $name in
    pursight_* | avro | attestation | json | schema | catalog | wire | text | certificate | \
        apache_avro | jsonwebtoken | postgres_protocol | postgres_types | tokio_postgres | x509_parser | der_parser | asn1_rs)
        exec "$@" --cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module \
            -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
            -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
        ;;
    *) exec "$@" ;;
esac

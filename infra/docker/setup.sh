#!/usr/bin/env bash
# What `./dev up` does before it starts the workers, inside the compose network.
set -euo pipefail
umask 077

[[ -s /keys/secret.keys ]] || head -c 32 /dev/urandom | base64 | tr '+/' '-_' >/keys/secret.keys
[[ -s /keys/signing.pem && -s /keys/trusted.json ]] || pursight keys create --issuer dev --tenant '*' \
    --permission scan.view --permission scan.create --permission scan.edit --permission scan.delete --out /keys/signing.pem
chown -R pursight: /keys
pursight topics apply
pursight migrate

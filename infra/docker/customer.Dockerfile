# The sample customer: PostgreSQL with TLS and the databases monitoring and ledger, as infra/sample describes.
FROM postgres:15-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends openssl && rm -rf /var/lib/apt/lists/* \
    && mkdir -p /sample/packages && cd /sample/packages && apt-get update \
    && for package in zabbix-server-pgsql ledgersmb; do apt-get download "$package" && mkdir "$package" && dpkg-deb -x ./"$package"_*.deb "$package"; done \
    && rm -rf ./*.deb /var/lib/apt/lists/*
COPY infra/sample /sample
COPY infra/docker/customer-init.sh /docker-entrypoint-initdb.d/customer.sh

# The tour: what a user does with PurSight, on two databases of real products. Each step is checked.
# shellcheck shell=bash

DEMO_SOURCES=(monitoring ledger)

run_demo() {
    local began=$SECONDS name
    install_packages
    start_system
    for name in "${DEMO_SOURCES[@]}"; do
        title "$name: register, test, discover, measure"
        register "$name"
        show source test "$name"
        show source discover "$name"
        show source stats "$name"
        await "the tables of $name in the read model" same_tables "$name"
    done
    for name in "${DEMO_SOURCES[@]}"; do
        title "$name: its owner changes it"
        change "$name"
    done
    title "What is known now, read back from the read model"
    for name in "${DEMO_SOURCES[@]}"; do show source show "$name"; done
    show source list
    summary
    printf '\nThe tour took %d s. Go on with: source .dev/env; pursight source --help; and stop with: ./dev down\n' $((SECONDS - began))
}

title() { printf '\n=== %s\n' "$1"; }

# show WORDS...: prints the command as a reader would type it, runs it, and ends the tour if it fails or takes minutes.
show() {
    printf '\n$ pursight %s\n' "$*"
    timeout --foreground 300 pursight "$@" || die "the step above failed (exit code $?)" "see .dev/log/pursight.log, and try: source .dev/env; pursight doctor"
}

# A source that is there from an earlier tour stays. The password goes in by stdin, so that no process list shows it.
register() {
    local name=$1
    if pursight source list --json | grep -qE "\"name\": ?\"$name\""; then
        echo "(the source $name is registered already)"
        return
    fi
    printf '\n# its password comes from .dev/customer/reader.password\n'
    show source create --name "$name" --type postgresql --host localhost --port "$PORT_CUSTOMER" --database "$name" \
        --user pursight_reader --password-stdin --location on_prem --environment production <"$STATE/customer/reader.password"
    await "the source $name in the read model" known "$name"
}

known() { pursight source show "$1" --json >/dev/null 2>&1; }

# change NAME: the owner's own DDL, then a discovery that must find each kind of change that the DDL says.
change() {
    local name=$1 said kinds
    said=$(superuser_sql customer "$name" <"infra/sample/change_$name.sql") || die "the change in $name failed"
    kinds=$(sed -n 's/^expect //p' <<<"$said")
    printf '\n# as the owner of %s: %s\n' "$name" "$(grep -v '^expect ' <<<"$said")"
    show source discover "$name"
    await "all of $kinds among the changes of $name" found_kinds "$name" "$kinds"
    show source changes "$name" --limit 6
    await "the tables of $name in the read model" same_tables "$name"
}

# await WHAT COMMAND...: the read model follows the log within moments; this is the longest we believe in.
await() {
    local what=$1
    shift
    wait_until 20 "$@" || die "not found after 20 s: $what"
    printf '(checked: %s)\n' "$what"
}

# What the customer's catalog says, asked without any of our code, and what the read model holds: every table with its
# number of columns.
same_tables() {
    local truth known
    truth=$(superuser_sql customer "$1" -At -c "
        SELECT format('%s.%s %s', nspname, relname, relnatts - count(a.*)) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND attisdropped
        WHERE relkind = 'r' AND nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'
        GROUP BY nspname, relname, relnatts ORDER BY nspname COLLATE \"C\", relname COLLATE \"C\"") || return
    known=$(read_model "
        SELECT format('%s.%s %s', o.schema, o.name, o.column_count) FROM schema_object o JOIN data_source s USING (tenant_id, source_id)
        WHERE s.name = :'name' AND s.tenant_id = :'tenant' AND o.kind = 'TABLE' AND o.state = 'LIVE' ORDER BY o.schema, o.name" "$1") || return
    [[ -n $truth && $truth == "$known" ]]
}

# found_kinds NAME KINDS: each kind is among the changes that the source's last discovery found.
found_kinds() {
    local found kind
    found=$(read_model "
        SELECT DISTINCT kind FROM schema_change WHERE (tenant_id, run_id) = (
            SELECT r.tenant_id, r.run_id FROM run r JOIN data_source s USING (tenant_id, source_id)
            WHERE s.name = :'name' AND s.tenant_id = :'tenant' AND r.kind = 'DISCOVER' ORDER BY r.started_at DESC LIMIT 1)" "$1") || return
    for kind in $2; do grep -qx "$kind" <<<"$found" || return; done
}

# read_model SQL [NAME]: a query as the cluster's superuser, beside PurSight; unaligned rows.
read_model() {
    superuser_sql postgres pursight -At -v name="${2:-}" -v tenant="$PURSIGHT_TENANT" <<<"SET search_path = pursight; $1;"
}

summary() {
    printf '\n# and as SQL on the read model:\n'
    superuser_sql postgres pursight -v tenant="$PURSIGHT_TENANT" <infra/sample/summary.sql || die "the read model could not be read"
}

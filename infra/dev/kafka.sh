# The broker: Apache Kafka in KRaft mode, one node, from its Maven artifacts (infra/kafka).
# shellcheck shell=bash

KAFKA_CLUSTER_ID=MkU3OEVBNTcwNTJENDM2Qg

kafka_running() { running "$STATE/kafka/pid" kafka.Kafka; }

start_kafka() {
    kafka_running && return
    server_folder kafka
    fetch_kafka
    port_free "$PORT_KAFKA" kafka
    port_free "$PORT_KAFKA_CONTROLLER" "kafka's controller"
    step "starting Kafka on 127.0.0.1:$PORT_KAFKA"
    sed -e "s|@PORT@|$PORT_KAFKA|g" -e "s|@CONTROLLER_PORT@|$PORT_KAFKA_CONTROLLER|g" -e "s|@DATA@|$STATE/kafka/data|g" \
        infra/kafka/server.properties | as_server tee kafka/server.properties >/dev/null
    as_server tee kafka/log4j2.xml <infra/kafka/log4j2.xml >/dev/null
    if [[ ! -e $STATE/kafka/data/meta.properties ]]; then
        as_server java -Xmx128m -XX:-UsePerfData -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile=kafka/log4j2.xml -cp 'kafka/libs/*' \
            kafka.tools.StorageTool format -t "$KAFKA_CLUSTER_ID" -c kafka/server.properties >"$STATE/log/kafka-format.log" 2>&1 ||
            die "Kafka's storage could not be formatted" "see .dev/log/kafka-format.log"
    fi
    as_server rm -f kafka/server.log
    # shellcheck disable=SC2016
    as_server setsid bash -c 'echo $$ >kafka/pid; exec "$@" >kafka/server.log 2>&1 </dev/null' _ \
        java -Xms128m -Xmx384m -XX:-UsePerfData -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile=kafka/log4j2.xml \
        -cp 'kafka/libs/*' kafka.Kafka kafka/server.properties 9>&- >/dev/null 2>&1 &
    wait_until 90 kafka_ready || die "Kafka did not start" "see .dev/kafka/server.log"
}

kafka_ready() {
    grep -q 'Kafka Server started' "$STATE/kafka/server.log" 2>/dev/null && return
    if grep -qE 'FATAL|Exiting Kafka|Error occurred during init' "$STATE/kafka/server.log" 2>/dev/null; then
        tail -5 "$STATE/kafka/server.log" >&2
        die "Kafka stopped while starting" "see .dev/kafka/server.log; a log that a newer Kafka has written is thrown away by: ./dev down --wipe"
    fi
    return 1
}

stop_kafka() {
    kafka_running && step "stopping Kafka"
    stop_process "$STATE/kafka/pid" kafka.Kafka 30
}

# The jars go to a folder named by the pom's checksum: another version is fetched anew, and a half-fetched one is never used.
fetch_kafka() {
    local stamp=$STATE/kafka/libs.stamp want
    want=$(cksum <infra/kafka/pom.xml)
    [[ -r $stamp && $(<"$stamp") == "$want" ]] && return
    step "fetching Kafka from Maven"
    rm -rf "$STATE/kafka/libs"
    MAVEN_OPTS=-XX:-UsePerfData mvn -q -B -f infra/kafka/pom.xml dependency:copy-dependencies -DoutputDirectory="$STATE/kafka/libs" >"$STATE/log/maven.log" 2>&1 || {
        tail -n 5 "$STATE/log/maven.log" >&2
        die "Maven could not fetch Kafka" "see .dev/log/maven.log; Maven's own settings.xml may name a mirror"
    }
    echo "$want" >"$stamp"
}

"""A client that shares no code with the product: confluent-kafka, fastavro, cryptography, and the files of schemas/.

    client.py publish  FILE      publish the commands of FILE (JSON lines), signed; waits for each terminal outcome
    client.py decode   TOPIC...  decode every record of the topics with fastavro and the fixed ids
    client.py registry TOPIC...  the same with Confluent's own AvroDeserializer against a registry that serves the ids

Settings: PURSIGHT_KAFKA_BOOTSTRAP, PURSIGHT_TOPIC_PREFIX, PURSIGHT_TENANT, PURSIGHT_ISSUER, PURSIGHT_SIGNING_KEY, SCHEMAS (folder).
Prints one JSON document.
"""

import base64
import hashlib
import http.server
import io
import json
import os
import pathlib
import struct
import sys
import threading
import time

import fastavro
from confluent_kafka import Consumer, Producer, TopicPartition
from cryptography.hazmat.primitives import serialization

SCHEMAS = pathlib.Path(os.environ["SCHEMAS"])
PREFIX = os.environ["PURSIGHT_TOPIC_PREFIX"]
TENANT = os.environ["PURSIGHT_TENANT"]
BROKER = {"bootstrap.servers": os.environ["PURSIGHT_KAFKA_BOOTSTRAP"]}
IDS = {entry["id"]: entry for entry in json.loads((SCHEMAS / "ids.json").read_text())}
TERMINAL = {"CommandSucceeded", "CommandRejected", "CommandFailed", "CommandCancelled", "CommandDeadLettered"}


def schema_text(schema_id):
    return (SCHEMAS / "published" / f"{schema_id}.avsc").read_text()


PARSED = {schema_id: fastavro.parse_schema(json.loads(schema_text(schema_id))) for schema_id in IDS}


def newest(short_name):
    found = [e for e in IDS.values() if e["record"].rsplit(".", 1)[1] == short_name]
    return max(found, key=lambda entry: entry["version"])


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Signer:
    """The attestation as the contract describes it: a compact JWS with EdDSA."""

    def __init__(self):
        pem = pathlib.Path(os.environ["PURSIGHT_SIGNING_KEY"]).read_bytes()
        self.key = serialization.load_pem_private_key(pem, password=None)
        public = self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        thumbprint = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": b64(public)}, separators=(",", ":"), sort_keys=True)
        self.kid = b64(hashlib.sha256(thumbprint.encode()).digest())

    def sign(self, record, command_id, principal, value):
        now = int(time.time())
        claims = {
            "iss": os.environ["PURSIGHT_ISSUER"], "org": TENANT, "sub": principal, "cid": command_id, "type": record,
            "perms": ["scan.view", "scan.create", "scan.edit", "scan.delete"],
            "sha256": hashlib.sha256(value).hexdigest(), "iat": now, "exp": now + 600,
        }
        head = b64(json.dumps({"alg": "EdDSA", "kid": self.kid}).encode())
        body = b64(json.dumps(claims).encode())
        return f"{head}.{body}.{b64(self.key.sign(f'{head}.{body}'.encode()))}"


def frame(command):
    fields = dict(command)
    entry = newest(fields.pop("type"))
    out = io.BytesIO()
    fastavro.schemaless_writer(out, PARSED[entry["id"]], fields)
    return entry["record"], struct.pack(">bI", 0, entry["id"]) + out.getvalue()


def unframe(value):
    magic, schema_id = struct.unpack(">bI", value[:5])
    assert magic == 0, "not in Confluent framing"
    body = io.BytesIO(value[5:])
    record = fastavro.schemaless_reader(body, PARSED[schema_id], None)
    assert not body.read(), "bytes are left over"
    return IDS[schema_id]["record"].rsplit(".", 1)[1], record


def full(topic):
    return f"{PREFIX}.{topic}.v1"


def reader(topic, group):
    consumer = Consumer({**BROKER, "group.id": group, "isolation.level": "read_committed", "enable.auto.commit": False})
    partitions = consumer.list_topics(full(topic), timeout=30).topics[full(topic)].partitions
    consumer.assign([TopicPartition(full(topic), partition, 0) for partition in partitions])
    ends = {partition: consumer.get_watermark_offsets(TopicPartition(full(topic), partition), timeout=30)[1] for partition in partitions}
    return consumer, ends


def everything(topic):
    consumer, ends = reader(topic, f"{PREFIX}-python")
    until = time.monotonic() + 60
    while time.monotonic() < until:
        message = consumer.poll(0.2)
        if message is not None and not message.error():
            yield message
        at = {p.partition: p.offset for p in consumer.position([TopicPartition(full(topic), n) for n in ends])}
        if message is None and all(at[n] >= end or end == 0 for n, end in ends.items()):
            consumer.close()
            return
    raise SystemExit(f"{topic} was not read to its end")


def publish(file):
    signer = Signer()
    producer = Producer({**BROKER, "acks": "all", "partitioner": "murmur2_random"})
    consumer, _ = reader("outcome", f"{PREFIX}-python-follow")
    outcomes = []
    for line in pathlib.Path(file).read_text().splitlines():
        command = json.loads(line)
        meta = command["meta"]
        record, value = frame(command)
        attestation = signer.sign(record, meta["command_id"], meta["actor"]["principal"], value)
        headers = {"pursight-attestation": attestation, "content-type": "application/avro", "ce_id": meta["command_id"], "ce_type": record}
        producer.produce(full("command"), key=TENANT, value=value, headers=headers)
        producer.flush(30)
        outcomes.append(follow(consumer, command["type"], meta["command_id"]))
    return outcomes


def follow(consumer, command_type, command_id):
    until = time.monotonic() + 90
    while time.monotonic() < until:
        message = consumer.poll(0.5)
        if message is None or message.error():
            continue
        name, record = unframe(message.value())
        if name in TERMINAL and str(record["meta"]["command_id"]) == command_id:
            codes = [v["code"] for v in record.get("violations", [])] or [record.get("problem", {}).get("code")]
            return {"command": command_type, "outcome": name, "codes": codes, "result": record.get("result")}
    raise SystemExit(f"no outcome of {command_type} {command_id}")


def decode(topics):
    seen = {}
    for topic in topics:
        counts = seen.setdefault(topic, {})
        for message in everything(topic):
            name = "sealed" if topic == "dead-letter" else unframe(message.value())[0]
            counts[name] = counts.get(name, 0) + 1
    return seen


class Ids(http.server.BaseHTTPRequestHandler):
    """A stand-in for a schema registry: serves the published files by id, as a registry would."""

    def do_GET(self):  # noqa: N802
        path = self.path.split("?")[0]
        known = path.startswith("/schemas/ids/") and int(path.rsplit("/", 1)[1]) in IDS
        if known:
            answer = {"schema": schema_text(int(path.rsplit("/", 1)[1])), "schemaType": "AVRO"}
        else:
            answer = {"error_code": 40401, "message": "not here"}
        body = json.dumps(answer).encode()
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def with_registry(topics):
    from confluent_kafka.schema_registry import SchemaRegistryClient
    from confluent_kafka.schema_registry.avro import AvroDeserializer
    from confluent_kafka.serialization import MessageField, SerializationContext

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ids)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    deserialize = AvroDeserializer(SchemaRegistryClient({"url": f"http://127.0.0.1:{server.server_port}"}))
    counts = {}
    for topic in topics:
        for message in everything(topic):
            record = deserialize(message.value(), SerializationContext(message.topic(), MessageField.VALUE))
            assert record["meta"], "every record of ours has its meta"
            counts[topic] = counts.get(topic, 0) + 1
    return counts


if __name__ == "__main__":
    word, *rest = sys.argv[1:]
    print(json.dumps({"publish": lambda: publish(rest[0]), "decode": lambda: decode(rest), "registry": lambda: with_registry(rest)}[word]()))

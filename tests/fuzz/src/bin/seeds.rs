//! Writes the first inputs of every target into a folder: the repository's examples in the form that each target reads.
//! It is linked like a target, since the crates that it uses are instrumented, and ends before anything is fuzzed.
#![no_main]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use pursight_schemas::{codec, json, published};
use serde_json::Value as Json;

type Done = Result<(), Box<dyn Error>>;

libfuzzer_sys::fuzz_target!(init: write_and_end(), |_input: &[u8]| {});

fn write_and_end() {
    let done = written();
    if let Err(error) = &done {
        eprintln!("seeds: {error}");
    }
    std::process::exit(i32::from(done.is_err()));
}

fn written() -> Done {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [schemas, corpus] = words.as_slice() else { return Err("seeds SCHEMAS CORPUS".into()) };
    let corpus = Corpus(PathBuf::from(corpus));
    for (name, text) in examples(&Path::new(schemas).join("examples"))? {
        corpus.add("json", &name, text.as_bytes())?;
        let document: Json = serde_json::from_str(&text)?;
        // Some examples show what is refused.
        let Ok(framed) = json::read(&document) else { continue };
        corpus.add("avro", &name, &chosen(&framed.bytes))?;
        attestation(&corpus, &name, &document, &framed.bytes)?;
    }
    corpus.add("schema", "ids", &[b"\0", published::IDS_JSON.as_bytes()].concat())?;
    for entry in published::ENTRIES.iter() {
        let text = published::text(entry.id).ok_or("a published text")?;
        let answer = serde_json::json!({"schema": text}).to_string();
        corpus.add("schema", &format!("answer-{}", entry.id), &[b"\x01", answer.as_bytes()].concat())?;
        corpus.add("schema", &format!("text-{}", entry.id), &[b"\x02\x04\x02\x02\x02\0", text.as_bytes()].concat())?;
    }
    small_schemas(&corpus)?;
    answers(&corpus)
}

struct Corpus(PathBuf);

impl Corpus {
    fn add(&self, target: &str, name: &str, bytes: &[u8]) -> Done {
        let folder = self.0.join(target);
        fs::create_dir_all(&folder)?;
        Ok(fs::write(folder.join(format!("seed-{name}")), bytes)?)
    }
}

fn examples(folder: &Path) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let mut found = Vec::new();
    for record in fs::read_dir(folder)? {
        let record = record?;
        for case in fs::read_dir(record.path())? {
            let path = case?.path();
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            found.push((format!("{}-{stem}", record.file_name().to_string_lossy()), fs::read_to_string(&path)?));
        }
    }
    Ok(found)
}

/// As the target `avro` wants it: the id by its place among the published ones.
fn chosen(bytes: &[u8]) -> Vec<u8> {
    let id = codec::schema_id(bytes);
    let place = published::ENTRIES.iter().position(|entry| Some(entry.id) == id).unwrap_or(255);
    [&[u8::try_from(place).unwrap_or(255)], &bytes[5..]].concat()
}

fn attestation(corpus: &Corpus, name: &str, document: &Json, value: &[u8]) -> Done {
    let claims = serde_json::json!({
        "iss": "fuzz", "org": "acme", "sub": "ada", "perms": ["scan.view", "scan.edit"],
        "cid": document["meta"]["command_id"], "type": codec::full_name(value)?, "sha256": "HASH",
        "iat": 1_767_225_000, "exp": 1_767_228_600,
    });
    let mut claims = claims.to_string().into_bytes();
    claims.resize(claims.len().next_multiple_of(4), b' ');
    let length = u8::try_from(claims.len() / 4)?;
    let signed = [&[1, length], claims.as_slice(), b"\x01acme", value].concat();
    corpus.add("attestation", name, &signed)?;
    let header = br#"{"alg":"EdDSA","kid":"k"}"#;
    corpus.add("attestation", &format!("header-{name}"), &[&[2, 25], &header[..], &signed[1..]].concat())?;
    let token = pursight_fuzz::signer::Signer::of(7).sign(header, &claims);
    let mut token = token.into_bytes();
    token.resize(token.len().next_multiple_of(8), b'=');
    let length = u8::try_from(token.len() / 8)?;
    corpus.add(
        "attestation",
        &format!("token-{name}"),
        &[&[0, length], token.as_slice(), b"\x01acmeacme", value].concat(),
    )?;
    corpus.add("attestation", "keys", &[b"\x03", pursight_fuzz::signer::Signer::of(9).trusted().as_bytes()].concat())
}

/// Small records under a name of the contract, from which mutations get further than from whole ones.
fn small_schemas(corpus: &Corpus) -> Done {
    let name = published::ENTRIES.first().map(|entry| entry.record.as_str()).unwrap_or_default();
    let (space, short) = name.rsplit_once('.').unwrap_or_default();
    let inner =
        r#"{"type": "record", "name": "I", "fields": [{"name": "x", "type": ["null", "string"], "default": null}]}"#;
    for (at, kind) in [
        r#""long""#.to_owned(),
        r#"{"type": "array", "items": "string"}"#.to_owned(),
        r#"{"type": "map", "values": "int"}"#.to_owned(),
        r#"{"type": "enum", "name": "E", "symbols": ["A", "UNKNOWN"], "default": "UNKNOWN"}"#.to_owned(),
        r#"{"type": "string", "logicalType": "uuid"}"#.to_owned(),
        format!(r#"{{"type": "array", "items": {inner}}}"#),
        format!(r#"["null", {inner}]"#),
    ]
    .iter()
    .enumerate()
    {
        let text = format!(
            r#"{{"type": "record", "name": "{short}", "namespace": "{space}", "fields": [{{"name": "a", "type": {kind}}}, {{"name": "b", "type": "boolean"}}]}}"#
        );
        corpus.add("schema", &format!("small-{at}"), &[b"\x02\x05\x02\x02\x02a\0", text.as_bytes()].concat())?;
    }
    Ok(())
}

/// Of the targets that read customers' answers.
fn answers(corpus: &Corpus) -> Done {
    for (at, text) in [
        "CHECK ((a > 0))",
        "SELECT t.a AS b FROM s.t WHERE t.a = 'it''s'::text",
        "nextval('s.a'::regclass)",
        "(x)::timestamp(3) without time zone > E'a\\\\'",
        "$tag$ body $tag$ \"Name\"",
        "sales.*\nsales.orders",
        "db.example.com",
        "[::1]:5432,10.0.0.0/8",
        "0x7f.0.0.1",
        "password='canary 1' postgres://u:p@h/d -----BEGIN X-----",
    ]
    .iter()
    .enumerate()
    {
        corpus.add("text", &at.to_string(), text.as_bytes())?;
    }
    for at in 0..16_u8 {
        corpus.add("catalog", &at.to_string(), &[&[at], &[3; 200][..]].concat())?;
        corpus.add("catalog", &format!("steps-{at}"), &(0..200).map(|n| at.wrapping_add(n)).collect::<Vec<_>>())?;
    }
    wire(corpus)?;
    for bundle in ["/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"] {
        let Ok(text) = fs::read_to_string(bundle) else { continue };
        for (at, pem) in text.split("-----END").take(20).enumerate() {
            let Some((_, body)) = pem.rsplit_once("-----BEGIN CERTIFICATE-----") else { continue };
            let body: String = body.split_whitespace().collect();
            use base64::Engine as _;
            corpus.add("certificate", &at.to_string(), &base64::engine::general_purpose::STANDARD.decode(body)?)?;
        }
        break;
    }
    Ok(())
}

/// Conversations as a server has them: each piece is what one request of ours is answered with.
fn wire(corpus: &Corpus) -> Done {
    let frame = |kind: u8, body: &[u8]| {
        let length = u32::try_from(body.len() + 4).unwrap_or_default();
        [&[kind], &length.to_be_bytes()[..], body].concat()
    };
    let ready = frame(b'Z', b"I");
    let ok = [
        frame(b'R', &[0; 4]),
        frame(b'S', b"server_version\x0016.4\0"),
        frame(b'K', &[0, 0, 0, 1, 0, 0, 0, 2]),
        frame(b'N', b"SNOTICE\0C00000\0Mhello\0\0"),
        ready.clone(),
    ]
    .concat();
    let column = [&b"c\0"[..], &[0; 6], &[0, 0, 0, 25], &[255, 255], &[255; 4], &[0, 0]].concat();
    let prepared =
        [frame(b'1', b""), frame(b't', &[0, 0]), frame(b'T', &[&[0, 1][..], &column].concat()), ready.clone()].concat();
    let rows = [
        frame(b'2', b""),
        frame(b'D', &[0, 1, 0, 0, 0, 2, b'h', b'i']),
        frame(b'D', &[0, 1, 255, 255, 255, 255]),
        frame(b'C', b"SELECT 2\0"),
        ready.clone(),
    ]
    .concat();
    let refused = [frame(b'E', b"SERROR\0VERROR\0C42P01\0Mno\0Rroutine\0\0"), ready].concat();
    let login = frame(b'E', b"SFATAL\0VFATAL\0C28P01\0Mno\0\0");
    let sasl = frame(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0");
    let first = frame(b'R', b"\0\0\0\x0br=abc,s=QSXCR+Q6sek8bf92,i=4096");
    for (name, pieces) in [
        ("good", vec![&ok, &prepared, &rows]),
        ("refused", vec![&ok, &refused]),
        ("half", vec![&ok, &prepared, &refused]),
        ("login", vec![&login]),
        ("sasl", vec![&sasl, &first]),
    ] {
        let mut bytes = Vec::new();
        for piece in pieces {
            bytes.push(u8::try_from(piece.len() / 2 + piece.len() % 2)?);
            bytes.extend_from_slice(piece);
            if piece.len() % 2 == 1 {
                bytes.push(0);
            }
        }
        corpus.add("wire", name, &bytes)?;
    }
    Ok(())
}

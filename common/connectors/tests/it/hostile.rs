//! Servers that speak the protocol and mean harm: what the driver would follow, keep or wait for is refused, typed and
//! in time, and names of any kind come back from a real server as they are.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use pursight_connectors::postgres::{PgSession, SessionOptions, identifier, literal};
use pursight_schemas::{DataSourceSpec, HostPort, Problem};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use crate::servers::{connectors, servers, source};

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind], &length.to_be_bytes()[..], body].concat()
}

fn ready() -> Vec<u8> {
    frame(b'Z', b"I")
}

/// What a statement without parameters is prepared with.
fn prepared(parameters: &[u32], columns: &[u32]) -> Vec<u8> {
    let mut described = u16::try_from(parameters.len()).unwrap().to_be_bytes().to_vec();
    parameters.iter().for_each(|oid| described.extend(oid.to_be_bytes()));
    let mut names = u16::try_from(columns.len()).unwrap().to_be_bytes().to_vec();
    for oid in columns {
        names.extend(b"c\0\0\0\0\0\0\0");
        names.extend(oid.to_be_bytes());
        names.extend([0; 8]);
    }
    [frame(b'1', b""), frame(b't', &described), frame(b'T', &names), ready()].concat()
}

/// A fake that lets everybody in and answers each statement by what `prepare` and `execute` say; `hello` comes first.
async fn fake(
    hello: Vec<u8>,
    prepare: fn(&str) -> Vec<u8>,
    execute: fn(&str, &[u8]) -> Vec<u8>,
) -> std::net::SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, hello.clone(), prepare, execute));
        }
    });
    address
}

async fn serve(
    mut stream: TcpStream,
    hello: Vec<u8>,
    prepare: fn(&str) -> Vec<u8>,
    execute: fn(&str, &[u8]) -> Vec<u8>,
) -> std::io::Result<()> {
    let length = stream.read_u32().await?;
    stream.read_exact(&mut vec![0; length as usize - 4]).await?;
    let let_in = [frame(b'R', &[0; 4]), hello, frame(b'K', &[0; 8]), ready()].concat();
    stream.write_all(&let_in).await?;
    let (mut asked, mut bound) = (String::new(), Vec::new());
    let mut named = std::collections::HashMap::new();
    loop {
        let kind = stream.read_u8().await?;
        let length = stream.read_u32().await?;
        let mut body = vec![0; length as usize - 4];
        stream.read_exact(&mut body).await?;
        let text = |part: usize| String::from_utf8_lossy(body.split(|byte| *byte == 0).nth(part).unwrap()).into_owned();
        match kind {
            b'Q' => stream.write_all(&[frame(b'C', b"SET\0"), ready()].concat()).await?,
            b'P' => {
                asked = text(1);
                named.insert(text(0), asked.clone());
            }
            b'B' => {
                asked = named.get(&text(1)).cloned().unwrap_or_default();
                bound = body;
            }
            b'S' if bound.is_empty() => stream.write_all(&prepare(&asked)).await?,
            b'S' => stream.write_all(&execute(&asked, &std::mem::take(&mut bound))).await?,
            _ => {}
        }
    }
}

/// As `source`, but at the fake, and plain.
fn at(address: std::net::SocketAddr) -> DataSourceSpec {
    let mut spec = source(address.port(), "fake");
    spec.hosts = vec![HostPort { host: "127.0.0.1".to_owned(), port: Some(i32::from(address.port())) }];
    (spec.tls.mode, spec.tls.ca) = (pursight_schemas::TlsMode::Disable, None);
    spec
}

async fn open(spec: &DataSourceSpec) -> Result<PgSession, Problem> {
    let options = SessionOptions::of_run(Uuid::from_u128(1), Duration::from_secs(20));
    connectors().postgres_session("acme", spec, None, &options).await.map_err(|problem| *problem)
}

#[tokio::test]
async fn a_type_made_of_a_type_made_of_a_type_is_not_followed() {
    // Each type is a domain over the next one. The driver asks for the base of each inside of the question for the one
    // before, until the stack of its thread is used up and the process is gone.
    let domain = |_: &str, bound: &[u8]| {
        let oid = bound.windows(4).rev().map(|four| u32::from_be_bytes(four.try_into().unwrap()));
        let oid = oid.into_iter().find(|oid| (100_000..100_000_000).contains(oid)).unwrap();
        let mut row = vec![0, 7];
        for value in [&b"t"[..], b"d", &[0; 4]] {
            row.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
            row.extend(value);
        }
        row.extend([255; 4]);
        for value in [&(oid + 1).to_be_bytes()[..], b"public", &[0; 4]] {
            row.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
            row.extend(value);
        }
        [frame(b'2', b""), frame(b'D', &row), frame(b'C', b"SELECT 1\0"), ready()].concat()
    };
    let prepare = |sql: &str| {
        if sql.contains("pg_type") { prepared(&[26], &[19, 18, 26, 26, 26, 19, 26]) } else { prepared(&[], &[100_000]) }
    };
    let session = open(&at(fake(Vec::new(), prepare, domain).await)).await.unwrap();
    let problem = session.query("SELECT 1", &[]).await.unwrap_err();
    assert_eq!((problem.code.as_str(), problem.native_code.as_deref()), ("CONNECTION_REFUSED", Some("own_type")));
    assert!(session.is_closed());
}

#[tokio::test]
async fn settings_and_notices_without_end_end_the_login() {
    let settings = (0..40_000).flat_map(|n| frame(b'S', format!("setting_{n}\0value\0").as_bytes())).collect();
    let notices = frame(b'N', b"SNOTICE\0C00000\0Mhello\0\0").repeat(40_000);
    for hello in [settings, notices] {
        let begun = Instant::now();
        let refused = open(&at(fake(hello, |_| Vec::new(), |_, _| Vec::new()).await)).await;
        let problem = refused.err().unwrap();
        assert_eq!((problem.code.as_str(), problem.native_code.as_deref()), ("SERVER_LIMIT", Some("unasked")));
        assert!(begun.elapsed() < Duration::from_secs(4), "it is refused, not waited for");
    }
}

#[tokio::test]
async fn what_a_server_says_in_notices_is_not_logged() {
    static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());
    struct Writer;
    impl std::io::Write for Writer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            LOG.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    // As the executable does it; the driver logs by another way, which leads here too.
    tracing_subscriber::fmt().with_env_filter("trace").with_writer(|| Writer).try_init().unwrap();
    let notice =
        |text: &str| frame(b'N', format!("SNOTICE\0C00000\0Mnotice-canary-{text}\nforged line\0\0").as_bytes());
    let hello = notice("hello");
    let prepare = |_: &str| [frame(b'N', b"SNOTICE\0C00000\0Mnotice-canary-later\0\0"), prepared(&[], &[25])].concat();
    let rows = |_: &str, _: &[u8]| [frame(b'2', b""), frame(b'C', b"SELECT\0"), ready()].concat();
    let session = open(&at(fake(hello, prepare, rows).await)).await.unwrap();
    session.query("SELECT 1", &[]).await.unwrap();
    session.query("SELECT 1", &[]).await.unwrap();
    let log = String::from_utf8_lossy(&LOG.lock().unwrap()).into_owned();
    assert!(log.contains("tokio_postgres"), "the driver's lines come here: {log}");
    assert!(!log.contains("notice-canary"), "{log}");
}

#[tokio::test]
async fn rows_of_nothing_count_by_what_they_take_in_memory() {
    // 6 MiB on the wire, ten times as much in memory.
    let nothing = |_: &str, _: &[u8]| {
        [frame(b'2', b""), frame(b'D', &[0, 0]).repeat(1_000_000), frame(b'C', b"SELECT\0"), ready()].concat()
    };
    let session = open(&at(fake(Vec::new(), |_| prepared(&[], &[]), nothing).await)).await.unwrap();
    let problem = session.query("SELECT 1", &[]).await.unwrap_err();
    assert_eq!(problem.code, "SERVER_LIMIT");
}

#[tokio::test]
async fn any_name_and_any_text_come_back_from_the_server_as_they_were_quoted() {
    let servers = servers();
    let admin = servers.admin(servers.good, "postgres").await;
    let mut runner = TestRunner::deterministic();
    let texts = "[^\\x00]{1,15}|[\"'\\\\$;%_\\n\\r\\t\u{202e}\u{feff}\u{10ffff}-]{1,15}|\\PC{1,15}";
    for _ in 0..300 {
        let text: String = texts.new_tree(&mut runner).unwrap().current();
        let row = admin.query_one(&format!("SELECT {} AS {}", literal(&text), identifier(&text)), &[]).await;
        let row = row.unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!((row.get::<_, &str>(0), row.columns()[0].name()), (text.as_str(), text.as_str()));
    }
    // A zero byte ends a statement for the server; it is left out.
    let row = admin.query_one(&format!("SELECT {} AS {}", literal("a\0b"), identifier("a\0b")), &[]).await.unwrap();
    assert_eq!((row.get::<_, &str>(0), row.columns()[0].name()), ("ab", "ab"));
}

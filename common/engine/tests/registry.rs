//! A schema registry that means harm: an answer without end is given up at its cap.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use pursight_engine::SchemaRegistry;

/// A registry that never stops talking.
fn endless() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).unwrap();
            let piece = [b"10000\r\n", &[b' '; 0x1_0000][..], b"\r\n"].concat();
            let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
            let mut sent = stream.write_all(head);
            while sent.is_ok() {
                sent = stream.write_all(&piece);
            }
        }
    });
    url
}

#[tokio::test]
async fn an_answer_without_end_is_given_up_and_the_id_stays_unknown() {
    let registry = SchemaRegistry::new(Some(&endless())).unwrap();
    let begun = Instant::now();
    assert!(!registry.learn(7_000_003).await.unwrap());
    assert!(begun.elapsed() < Duration::from_secs(4), "it ends at its cap, not at its time");
}

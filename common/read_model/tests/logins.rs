//! Getting a connection when that is slow, and giving up while it is. A proxy of our own stands between us and the server.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use pursight_read_model::testing::TestDatabase;
use pursight_read_model::{DatabaseOptions, ReadModel};
use sqlx::{Connection, PgConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

const TICK: Duration = Duration::from_millis(10);

/// Everything goes through it: logins share its time; where it is told to, what is answered to `BEGIN` is held back.
#[derive(Default)]
struct Proxy {
    logging_in: AtomicU32,
    holds_begin: AtomicBool,
}

impl Proxy {
    /// Starts one in front of `database`; a login that is alone takes `each`. Returns the options of a pool behind it.
    async fn start(self: Arc<Self>, database: &TestDatabase, each: Duration) -> DatabaseOptions {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (front, back) = (listener.local_addr().unwrap(), address(&database.url));
        let url = database.url.replace(&back, &front.to_string());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&self).serve(client, back.clone(), each));
            }
        });
        DatabaseOptions::new(url)
    }

    async fn serve(self: Arc<Self>, client: TcpStream, back: String, each: Duration) {
        self.logging_in.fetch_add(1, Ordering::SeqCst);
        let mut left = each;
        // Who hangs up while he waits is no longer in the way of others.
        let mut there = true;
        while there && !left.is_zero() {
            sleep(TICK).await;
            left = left.saturating_sub(TICK / self.logging_in.load(Ordering::SeqCst));
            let mut byte = [0];
            there = !matches!(timeout(Duration::ZERO, client.peek(&mut byte)).await, Ok(Ok(0) | Err(_)));
        }
        self.logging_in.fetch_sub(1, Ordering::SeqCst);
        if there {
            let server = TcpStream::connect(back).await.unwrap();
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            let begun = Arc::new(AtomicBool::new(false));
            tokio::spawn(Arc::clone(&self).forward(from_client, to_server, Arc::clone(&begun)));
            self.back(from_server, to_client, &begun).await;
        }
    }

    async fn forward(self: Arc<Self>, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, begun: Arc<AtomicBool>) {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut bytes).await {
            begun.store(bytes[..count].windows(5).any(|word| word == b"BEGIN"), Ordering::SeqCst);
            if to.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    }

    async fn back(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, begun: &AtomicBool) {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut bytes).await {
            while begun.load(Ordering::SeqCst) && self.holds_begin.load(Ordering::SeqCst) {
                sleep(TICK).await;
            }
            if to.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    }
}

/// `host:port` of a URL.
fn address(url: &str) -> String {
    url.rsplit_once('@').unwrap().1.split_once('/').unwrap().0.to_owned()
}

#[tokio::test]
async fn slow_logins_do_not_hinder_one_another_for_ever() {
    let database = TestDatabase::create().await;
    // Ten at once would take ten seconds each, and be given up after five.
    let options = Arc::new(Proxy::default()).start(&database, Duration::from_secs(1)).await;
    let model = ReadModel::lazy(&DatabaseOptions { max_connections: 10, ..options }).unwrap();
    let began = Instant::now();
    let callers: Vec<_> = (0..40)
        .map(|_| {
            let model = model.clone();
            tokio::spawn(async move { while model.begin().await.is_err() {} })
        })
        .collect();
    for caller in callers {
        timeout(Duration::from_secs(30), caller).await.unwrap().unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(30));
    model.close().await;
    database.remove().await;
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_no_transaction_open() {
    let database = TestDatabase::create().await;
    let proxy = Arc::new(Proxy::default());
    let options = Arc::clone(&proxy).start(&database, TICK).await;
    let options = DatabaseOptions { max_connections: 1, application_name: "gives up".to_owned(), ..options };
    let model = ReadModel::connect(&options).await.unwrap();
    proxy.holds_begin.store(true, Ordering::SeqCst);
    assert!(timeout(Duration::from_millis(300), model.begin()).await.is_err(), "no answer, no transaction");
    proxy.holds_begin.store(false, Ordering::SeqCst);
    // There is only one connection: whoever has it has the one that was given up.
    let mut next = model.pool().acquire().await.unwrap();
    sqlx::query("SELECT 1").execute(&mut *next).await.unwrap();
    let mut other = PgConnection::connect(&database.admin_url()).await.unwrap();
    let states = "SELECT state FROM pg_stat_activity WHERE application_name = 'gives up'";
    let state: String = sqlx::query_scalar(states).fetch_one(&mut other).await.unwrap();
    assert_eq!(state, "idle");
    drop(next);
    model.close().await;
    other.close().await.unwrap();
    database.remove().await;
}

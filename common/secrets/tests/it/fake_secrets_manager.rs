//! A fake of AWS Secrets Manager's HTTP face for what the emulator cannot do: throttle, deny, fail, and wait.
//! It proves how we take such answers, not that AWS gives them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Answers every request in the same way.
pub struct FakeSecretsManager {
    pub url: String,
    calls: Arc<AtomicUsize>,
    let_go: Arc<Semaphore>,
    serving: JoinHandle<()>,
}

impl FakeSecretsManager {
    /// Answers at once.
    pub async fn answering(status: u16, body: &'static str) -> Self {
        let fake = Self::waiting(status, body).await;
        fake.let_go();
        fake
    }

    /// Answers when it is let.
    pub async fn waiting(status: u16, body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (calls, let_go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let (counted, gate) = (Arc::clone(&calls), Arc::clone(&let_go));
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, status, body, Arc::clone(&counted), Arc::clone(&gate)));
            }
        });
        Self { url, calls, let_go, serving }
    }

    pub fn let_go(&self) {
        self.let_go.add_permits(10_000);
    }

    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Drop for FakeSecretsManager {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(mut stream: TcpStream, status: u16, body: &str, calls: Arc<AtomicUsize>, gate: Arc<Semaphore>) {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    while !complete(&request) {
        match stream.read(&mut piece).await {
            Ok(length @ 1..) => request.extend_from_slice(&piece[..length]),
            _ => return,
        }
    }
    calls.fetch_add(1, Ordering::SeqCst);
    gate.acquire().await.unwrap().forget();
    let head = format!(
        "HTTP/1.1 {status} x\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    // The client may have given up by now.
    let _gone = stream.write_all(format!("{head}{body}").as_bytes()).await;
}

fn complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    body.len() >= length.unwrap_or(0)
}

//! Fake servers, for what a real one does not do on demand: silence, no TLS, floods.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// A fake that accepts connections and never says a word.
pub async fn silent() -> SocketAddr {
    fake(|mut stream| async move {
        let mut sink = [0; 64];
        while stream.read(&mut sink).await.is_ok_and(|n| n > 0) {}
    })
    .await
}

/// A fake that answers the request for TLS with one byte, and then nothing.
pub async fn answering(byte: u8) -> SocketAddr {
    fake(move |mut stream| async move {
        let mut request = [0; 8];
        if stream.read_exact(&mut request).await.is_ok() {
            stream.write_all(&[byte]).await.ok();
            let mut sink = [0; 64];
            while stream.read(&mut sink).await.is_ok_and(|n| n > 0) {}
        }
    })
    .await
}

/// A fake that closes every connection at once.
pub async fn closing() -> SocketAddr {
    fake(|stream| async move { drop(stream) }).await
}

/// A fake without TLS that answers the login with these bytes.
pub async fn saying(answer: &'static [u8]) -> SocketAddr {
    fake(move |mut stream| async move {
        let mut sink = [0; 1024];
        if stream.read(&mut sink).await.is_ok() {
            stream.write_all(answer).await.ok();
            while let Ok(n) = stream.read(&mut sink).await {
                let sent = String::from_utf8_lossy(&sink[..n]).into_owned();
                assert!(!sent.contains(crate::servers::PASSWORD), "the password was sent in clear");
                if n == 0 {
                    break;
                }
            }
        }
    })
    .await
}

async fn fake<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// A fake host that swallows packets: a listener that accepts nobody, its queue filled. Connections to it hang as those
/// to a machine behind a firewall do. Keep what it returns.
pub async fn black_hole() -> (TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(stream) = tokio::time::timeout(Duration::from_millis(500), TcpStream::connect(address)).await {
        queue.push(stream.unwrap());
        assert!(queue.len() < 64, "the queue of this system cannot be filled");
    }
    (listener, queue)
}

//! The stream to a PostgreSQL server, plain or under TLS, already established. What comes back passes the watch before
//! the driver sees it. Knows nothing of hosts and policies.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_rustls::client::TlsStream as RustlsStream;

use crate::watch::{Watch, WireFault};

/// A stream to a server.
pub(crate) struct Wire {
    inner: Inner,
    watch: Watch,
    fault: FaultSlot,
    binding: Option<Vec<u8>>,
}

/// Where a fault is left for those who hold only the driver's client, to whom it is a closed connection.
pub(crate) type FaultSlot = Arc<OnceLock<WireFault>>;

enum Inner {
    Plain(TcpStream),
    Tls(Box<RustlsStream<TcpStream>>),
}

impl Wire {
    pub(crate) fn plain(stream: TcpStream) -> Self {
        Self { inner: Inner::Plain(stream), watch: Watch::new(false), fault: FaultSlot::default(), binding: None }
    }

    /// `verified`: the server proved who it is, so that it may have the password in clear if it asks.
    pub(crate) fn tls(stream: RustlsStream<TcpStream>, verified: bool, binding: Option<Vec<u8>>) -> Self {
        Self { inner: Inner::Tls(Box::new(stream)), watch: Watch::new(verified), fault: FaultSlot::default(), binding }
    }

    pub(crate) fn fault(&self) -> FaultSlot {
        self.fault.clone()
    }

    pub(crate) fn is_tls(&self) -> bool {
        matches!(self.inner, Inner::Tls(_))
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = match &mut self.inner {
            Inner::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Inner::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        if let Poll::Ready(Ok(())) = result
            && let Err(fault) = self.watch.see(&buf.filled()[before..])
        {
            self.fault.get_or_init(|| fault);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, fault)));
        }
        result
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.inner {
            Inner::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Inner::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Inner::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Inner::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl TlsStream for Wire {
    fn channel_binding(&self) -> ChannelBinding {
        match &self.binding {
            Some(hash) => ChannelBinding::tls_server_end_point(hash.clone()),
            None => ChannelBinding::none(),
        }
    }
}

/// Tells the driver that the handshake has been made already.
pub(crate) struct Established;

impl TlsConnect<Wire> for Established {
    type Stream = Wire;
    type Error = Infallible;
    type Future = Ready<Result<Wire, Infallible>>;

    fn connect(self, stream: Wire) -> Self::Future {
        ready(Ok(stream))
    }
}

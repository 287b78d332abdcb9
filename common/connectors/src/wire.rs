//! The stream to a PostgreSQL server, plain or under TLS, already established. Watches the frames that come back before
//! the driver sees them: a frame above the cap and a demand for the password in clear end the connection. Knows
//! nothing of hosts and policies.

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

/// Largest frame that a server may send: a row, or anything else.
pub(crate) const MAX_FRAME: usize = 1024 * 1024;

/// Why the watch ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireFault {
    #[error("the server asked for the password in clear")]
    CleartextPassword,
    #[error("the server sent a frame above the cap")]
    TooLarge,
    #[error("the server does not speak the protocol")]
    NotTheProtocol,
}

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

/// Follows the frames of the backend: a type byte, a length that counts itself, a body.
struct Watch {
    head: [u8; 9],
    have: usize,
    skip: usize,
    cleartext_allowed: bool,
}

impl Watch {
    fn new(cleartext_allowed: bool) -> Self {
        Self { head: [0; 9], have: 0, skip: 0, cleartext_allowed }
    }

    fn see(&mut self, mut bytes: &[u8]) -> Result<(), WireFault> {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let passed = self.skip.min(bytes.len());
                self.skip -= passed;
                bytes = &bytes[passed..];
                continue;
            }
            self.head[self.have] = bytes[0];
            self.have += 1;
            bytes = &bytes[1..];
            if self.have >= 5 {
                self.judge()?;
            }
        }
        Ok(())
    }

    fn judge(&mut self) -> Result<(), WireFault> {
        let length = u32::from_be_bytes([self.head[1], self.head[2], self.head[3], self.head[4]]) as usize;
        if length < 4 {
            return Err(WireFault::NotTheProtocol);
        }
        if length > MAX_FRAME {
            return Err(WireFault::TooLarge);
        }
        // 'R' is a demand for authentication; the next four bytes say which, 3 being the password in clear.
        if self.head[0] == b'R' && length >= 8 {
            if self.have < 9 {
                return Ok(());
            }
            let kind = u32::from_be_bytes([self.head[5], self.head[6], self.head[7], self.head[8]]);
            if kind == 3 && !self.cleartext_allowed {
                return Err(WireFault::CleartextPassword);
            }
        }
        self.skip = length + 1 - self.have;
        self.have = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind];
        let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
        bytes.extend(length.to_be_bytes());
        bytes.extend(body);
        bytes
    }

    #[test]
    fn ordinary_frames_pass_in_any_slices() {
        let bytes: Vec<u8> = [
            frame(b'R', &[0, 0, 0, 0]),
            frame(b'Z', b"I"),
            frame(b'n', b""),
            frame(b'D', &[7; 70_000]),
            frame(b'Z', b"I"),
        ]
        .concat();
        for size in [1, 3, 7, 9, 4096, bytes.len()] {
            let mut watch = Watch::new(false);
            for slice in bytes.chunks(size) {
                assert_eq!(watch.see(slice), Ok(()), "slices of {size}");
            }
            assert_eq!((watch.have, watch.skip), (0, 0));
        }
    }

    #[test]
    fn a_password_in_clear_is_given_only_to_a_server_that_proved_itself() {
        let demand = frame(b'R', &[0, 0, 0, 3]);
        for size in [1, 4, 9] {
            let mut watch = Watch::new(false);
            let seen: Result<(), _> = demand.chunks(size).try_for_each(|slice| watch.see(slice));
            assert_eq!(seen, Err(WireFault::CleartextPassword), "slices of {size}");
        }
        assert_eq!(Watch::new(true).see(&demand), Ok(()));
        assert_eq!(Watch::new(false).see(&frame(b'R', &[0, 0, 0, 10])), Ok(()));
    }

    #[test]
    fn a_frame_above_the_cap_is_refused_by_its_length_alone() {
        assert_eq!(Watch::new(false).see(&[b'D', 0x7f, 0xff, 0xff, 0xff]), Err(WireFault::TooLarge));
        assert_eq!(Watch::new(false).see(&[b'D', 0, 0, 0, 3]), Err(WireFault::NotTheProtocol));
        assert_eq!(Watch::new(false).see(b"HTTP/1.1 400 Bad Request"), Err(WireFault::TooLarge));
    }
}

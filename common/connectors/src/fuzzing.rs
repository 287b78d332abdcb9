//! Doors into private parsers, for `tests/fuzz` alone: compiled only under `cfg(fuzzing)`. Adds nothing of its own.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use pursight_schemas::Problem;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::host::Host;
use crate::postgres::fuzzing::{Login, login_problem};
use crate::verify;
use crate::watch::Watch;

pub use crate::postgres::fuzzing::nearest;

/// A host as a tenant writes it, in one form.
pub fn host(text: &str) -> Option<String> {
    match Host::parse(text).ok()? {
        Host::Name(name) => Some(name),
        Host::Address(address) => Some(address.to_string()),
    }
}

/// All that is read of a server's certificate.
pub fn certificate(der: &[u8]) {
    let certificate = CertificateDer::from(der);
    let _ = verify::not_after(&certificate);
    let _ = verify::end_point_hash(&certificate);
    let _ = verify::shown(&certificate);
}

/// The problem of a login.
pub fn login(error: &tokio_postgres::Error) -> Problem {
    let login = Login { user: "u", database: "d", our_address: None, tls: false, has_password: true };
    *login_problem(error, &login)
}

/// Whether the watch lets these bytes pass, handed over in pieces of this size.
pub fn passes(bytes: &[u8], size: usize) -> bool {
    let mut watch = Watch::new(false);
    bytes.chunks(size.max(1)).all(|piece| watch.see(piece).is_ok())
}

/// Any stream behind the watch, as a server's is.
pub struct Watched<S> {
    stream: S,
    watch: Watch,
}

impl<S> Watched<S> {
    /// Behind a watch.
    pub fn new(stream: S) -> Self {
        Self { stream, watch: Watch::new(false) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Poll::Ready(Ok(())) = result
            && let Err(fault) = self.watch.see(&buf.filled()[before..])
        {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, fault)));
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

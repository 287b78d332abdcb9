//! A server made of bytes: a stream that gives the next piece of its script whenever something was asked of it, and ends
//! with the script.

use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One side of the conversation; the script may grow while it runs.
#[derive(Clone, Default)]
pub struct Script(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    pieces: VecDeque<Vec<u8>>,
    ready: VecDeque<u8>,
    waiting: Option<Waker>,
    over: bool,
}

impl Script {
    /// What the next request is answered with.
    pub fn answer(&self, piece: Vec<u8>) {
        self.state().pieces.push_back(piece);
    }

    /// Ends the stream behind what was sent; whether it was open.
    fn hang_up(&self) -> bool {
        let mut state = self.state();
        if let Some(waker) = state.waiting.take() {
            waker.wake();
        }
        !std::mem::replace(&mut state.over, true)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("no thread panics here and goes on")
    }
}

impl AsyncRead for Script {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state();
        if state.ready.is_empty() && !state.over {
            state.waiting = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = state.ready.len().min(buf.remaining());
        for byte in state.ready.drain(..count) {
            buf.put_slice(&[byte]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.state();
        match state.pieces.pop_front() {
            Some(piece) => state.ready.extend(piece),
            None => state.over = true,
        }
        if let Some(waker) = state.waiting.take() {
            waker.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

/// Drives a conversation to its end without a clock: when nothing more would happen, as behind half a frame, the server
/// hangs up. What waits on is stuck for ever.
pub fn drive<T>(script: &Script, conversation: impl Future<Output = T>) -> T {
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let mut conversation = pin!(conversation);
    loop {
        if let Poll::Ready(result) = conversation.as_mut().poll(&mut context) {
            return result;
        }
        assert!(woken.0.swap(false, Relaxed) || script.hang_up(), "waits for a server that has hung up");
    }
}

/// A frame of the protocol.
pub fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [&[kind], &length.to_be_bytes()[..], body].concat()
}

/// A login without a password.
pub fn let_in() -> Vec<u8> {
    [frame(b'R', &[0; 4]), frame(b'Z', b"I")].concat()
}

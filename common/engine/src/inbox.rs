//! The channel by which a worker's loop is woken. Knows nothing of what it carries.

use std::sync::mpsc::{Receiver, Sender};

use crate::worker::Ask;

/// Both ends of the channel by which the loop is woken; the log gets a clone of the sender.
pub struct Inbox {
    pub(crate) sender: Sender<Ask>,
    pub(crate) receiver: Receiver<Ask>,
}

/// Wakes the loop.
#[derive(Debug, Clone)]
pub struct Waker(Sender<Ask>);

impl Waker {
    /// The log has something to deliver.
    pub fn wake(&self) {
        // The loop may have ended already: then there is nobody to wake.
        drop(self.0.send(Ask::Woken));
    }
}

impl Default for Inbox {
    fn default() -> Self {
        let (sender, receiver) = std::sync::mpsc::channel();
        Self { sender, receiver }
    }
}

impl Inbox {
    /// For the log.
    pub fn waker(&self) -> Waker {
        Waker(self.sender.clone())
    }
}

//! Watches the frames of a PostgreSQL server before the driver sees them, and ends the connection at the first that does
//! harm. Owns the caps of the protocol; must not know streams.
//!
//! Each fault here is one that the driver does not see: it would hold any frame in memory, give the password in clear,
//! keep every setting and notice that it is told, and follow the definition of a type of the server's own from type to
//! type, as deep as the server likes, until the stack is used up.

use tokio_postgres::types::Type;

/// Largest frame that a server may send: a row, or anything else.
pub(crate) const MAX_FRAME: usize = 1024 * 1024;
/// Most bytes of settings, notices and notifications in the life of a connection; a usual login brings 1 KiB.
pub(crate) const MAX_UNASKED: usize = 1024 * 1024;
/// What such a frame costs beyond its own bytes once it is kept.
const KEPT: usize = 64;
/// Largest description of parameters or columns; ours have few.
const MAX_DESCRIPTION: usize = 64 * 1024;

/// Why the watch ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireFault {
    #[error("the server asked for the password in clear")]
    CleartextPassword,
    #[error("the server sent a frame above the cap")]
    TooLarge,
    #[error("the server sent settings and notices without end")]
    Unasked,
    #[error("the server answered with a type of its own")]
    OwnType,
    #[error("the server does not speak the protocol")]
    NotTheProtocol,
}

/// Follows the frames of the backend: a type byte, a length that counts itself, a body.
pub(crate) struct Watch {
    head: [u8; 9],
    have: usize,
    /// Bytes of the body that are still to come.
    left: usize,
    /// Whether the body is kept, to be looked into at its end.
    keeps: bool,
    body: Vec<u8>,
    unasked: usize,
    cleartext_allowed: bool,
}

impl Watch {
    pub(crate) fn new(cleartext_allowed: bool) -> Self {
        Self { head: [0; 9], have: 0, left: 0, keeps: false, body: Vec::new(), unasked: 0, cleartext_allowed }
    }

    pub(crate) fn see(&mut self, mut bytes: &[u8]) -> Result<(), WireFault> {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let (body, behind) = bytes.split_at(self.left.min(bytes.len()));
                self.left -= body.len();
                if self.keeps {
                    self.body.extend_from_slice(body);
                    if self.left == 0 {
                        self.described()?;
                    }
                }
                bytes = behind;
                continue;
            }
            self.head[self.have] = *first;
            self.have += 1;
            bytes = rest;
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
        match self.head[0] {
            // A demand for authentication; the next four bytes say which, 3 being the password in clear.
            b'R' if length >= 8 => {
                if self.have < 9 {
                    return Ok(());
                }
                let kind = u32::from_be_bytes([self.head[5], self.head[6], self.head[7], self.head[8]]);
                if kind == 3 && !self.cleartext_allowed {
                    return Err(WireFault::CleartextPassword);
                }
            }
            b'S' | b'N' | b'A' => {
                self.unasked += length + KEPT;
                if self.unasked > MAX_UNASKED {
                    return Err(WireFault::Unasked);
                }
            }
            b'T' | b't' if length > MAX_DESCRIPTION => return Err(WireFault::TooLarge),
            b'T' | b't' => self.keeps = length > 4,
            _ => {}
        }
        self.left = length + 1 - self.have;
        self.have = 0;
        Ok(())
    }

    /// Looks into a description of columns or parameters: only types that the driver knows by itself.
    fn described(&mut self) -> Result<(), WireFault> {
        let types = if self.head[0] == b'T' { column_types(&self.body) } else { parameter_types(&self.body) };
        let known = types.ok_or(WireFault::NotTheProtocol)?.into_iter().all(is_built_in);
        self.keeps = false;
        self.body.clear();
        if known { Ok(()) } else { Err(WireFault::OwnType) }
    }
}

fn is_built_in(oid: u32) -> bool {
    Type::from_oid(oid).is_some()
}

fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

/// The types of parameters; none where the description is damaged.
fn parameter_types(body: &[u8]) -> Option<Vec<u32>> {
    let types = body.get(2..)?;
    types.len().is_multiple_of(4).then(|| types.chunks_exact(4).filter_map(number).collect())
}

/// The types of a row's columns; none where the description is damaged: the driver would refuse it only after it had
/// followed the types before the damage.
fn column_types(body: &[u8]) -> Option<Vec<u32>> {
    let mut types = Vec::new();
    let mut rest = body.get(2..)?;
    while !rest.is_empty() {
        let name = rest.iter().position(|byte| *byte == 0)?;
        // Behind the name: table, column, type, its size, its modifier, the format.
        let fields = rest.get(name + 1..name + 19)?;
        types.push(number(&fields[6..10])?);
        rest = &rest[name + 19..];
    }
    Some(types)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
            assert_eq!((watch.have, watch.left), (0, 0));
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

    fn columns(oids: &[u32]) -> Vec<u8> {
        let mut body = u16::try_from(oids.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec();
        for oid in oids {
            body.extend(b"name\0\0\0\0\0\0\0");
            body.extend(oid.to_be_bytes());
            body.extend([0; 8]);
        }
        frame(b'T', &body)
    }

    fn parameters(oids: &[u32]) -> Vec<u8> {
        let mut body = vec![0, 1];
        oids.iter().for_each(|oid| body.extend(oid.to_be_bytes()));
        frame(b't', &body)
    }

    /// The judgement, which no cutting into pieces may change.
    fn judged(bytes: &[u8]) -> Result<(), WireFault> {
        let whole = Watch::new(false).see(bytes);
        for size in [1, 2, 5, 9] {
            let mut watch = Watch::new(false);
            assert_eq!(bytes.chunks(size).try_for_each(|piece| watch.see(piece)), whole, "pieces of {size}");
        }
        whole
    }

    #[test]
    fn a_type_of_the_servers_own_is_refused_before_the_driver_asks_what_it_is() {
        assert_eq!(judged(&columns(&[25, 26, 1009, 19, 18])), Ok(()));
        assert_eq!(judged(&parameters(&[1009, 20])), Ok(()));
        assert_eq!(judged(&[frame(b't', &[0, 0]), frame(b'T', &[0, 0]), frame(b'Z', b"I")].concat()), Ok(()));
        assert_eq!(judged(&columns(&[25, 100_000])), Err(WireFault::OwnType));
        assert_eq!(judged(&parameters(&[25, 100_000])), Err(WireFault::OwnType));
        let mut damaged = columns(&[100_000]);
        damaged[4] -= 1;
        assert_eq!(judged(&damaged), Err(WireFault::NotTheProtocol), "the driver follows it before it sees the damage");
        assert_eq!(judged(&frame(b'T', &[0; MAX_DESCRIPTION])), Err(WireFault::TooLarge));
    }

    #[test]
    fn settings_and_notices_without_end_are_refused() {
        for kind in [b'S', b'N', b'A'] {
            for length in [0, 100, 10_000] {
                let one = frame(kind, &vec![b'x'; length]);
                let mut watch = Watch::new(false);
                let passed = (0..100_000).take_while(|_| watch.see(&one).is_ok()).count();
                assert_eq!(passed, MAX_UNASKED / (length + 4 + KEPT), "{length}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_alike_in_any_pieces(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0), prop::sample::select(b"RSTtNADZ".to_vec())], 0..80),
        ) {
            let _ = judged(&bytes);
        }
    }
}

//! W3C Trace Context: a command's trace is continued by its events. Ids are derived, not drawn, so that deciding the
//! same log again gives the same headers.

use uuid::Uuid;

/// A trace to be continued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent {
    trace: String,
    flags: String,
}

impl TraceParent {
    /// Continues the `traceparent` header of a message, or starts a trace named after `cause`.
    pub fn of(header: Option<&str>, cause: Uuid) -> Self {
        header
            .and_then(Self::parse)
            .unwrap_or_else(|| Self { trace: cause.simple().to_string(), flags: "01".to_owned() })
    }

    fn parse(text: &str) -> Option<Self> {
        let hex = |part: &str, length: usize| {
            part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        };
        let mut parts = text.split('-');
        let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let sound = hex(version, 2) && version != "ff" && hex(trace, 32) && hex(parent, 16) && hex(flags, 2);
        let zero = trace.bytes().all(|byte| byte == b'0') || parent.bytes().all(|byte| byte == b'0');
        (sound && !zero).then(|| Self { trace: trace.to_owned(), flags: flags.to_owned() })
    }

    /// The header of a message that continues the trace; its span is named after the message.
    pub fn child_text(&self, message: Uuid) -> String {
        let span = message.simple().to_string();
        format!("00-{}-{}-{}", self.trace, &span[..16], self.flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_header_is_continued_and_a_damaged_one_starts_anew() {
        let cause = Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);
        let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(
            TraceParent::of(Some(given), cause).child_text(cause),
            "00-0af7651916cd43dd8448eb211c80319c-0102030405060708-01"
        );
        for bad in ["", "00-xyz", "00-00000000000000000000000000000000-b7ad6b7169203331-01"] {
            assert!(
                TraceParent::of(Some(bad), cause).child_text(cause).contains("0102030405060708090a0b0c0d0e0f10"),
                "{bad}"
            );
        }
    }
}

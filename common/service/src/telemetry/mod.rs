//! Logs to stderr, one line an event, through the redactor. Must not know what is logged.

mod redact;

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

pub use redact::redact;

use crate::settings::{LogFormat, LogSettings};

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not understood.
    #[error("PURSIGHT_LOG is not a filter that tracing understands")]
    Filter,
    /// Somebody was first.
    #[error("logging was set up before")]
    Twice,
}

/// Sets up logging for this process. Call it once, in `main`.
///
/// # Errors
/// When the filter is wrong or logging was set up before.
pub fn init(settings: &LogSettings) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&settings.filter).map_err(|_| TelemetryError::Filter)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Redacting(io::stderr));
    let done = match settings.format {
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).with_span_list(true).try_init(),
        LogFormat::Text => builder.with_ansi(false).try_init(),
    };
    done.map_err(|_| TelemetryError::Twice)
}

/// Makes writers that redact. Each event arrives in one piece, so no secret is cut in two.
struct Redacting<M>(M);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Redacting<M> {
    type Writer = RedactingWriter<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        RedactingWriter { inner: self.0.make_writer() }
    }
}

struct RedactingWriter<W> {
    inner: W,
}

impl<W: Write> Write for RedactingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        self.inner.write_all(redact(&text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_json_with_dotted_fields_and_without_secrets() -> Result<(), serde_json::Error> {
        let memory = Memory::default();
        let copy = memory.clone();
        let writer = Redacting(move || copy.clone());
        let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(writer).finish();
        tracing::subscriber::with_default(subscriber, || {
            let url = "postgres://u:canary@h/d";
            tracing::info!(tenant.id = "acme", error = %format!("cannot reach {url} password=\"canary 2\""), "message");
        });
        let bytes = memory.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let line: serde_json::Value = serde_json::from_slice(&bytes)?;
        assert_eq!(line["tenant.id"], "acme");
        assert!(!line.to_string().contains("canary"), "{line}");
        Ok(())
    }
}

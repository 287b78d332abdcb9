//! Where settings become the parts that workers need, and where one crate's part is put behind another one's trait.

use pursight_engine::kafka::Options;
use pursight_service::settings::KafkaSettings;

/// The engine's view of the Kafka settings.
pub fn kafka_options(kafka: &KafkaSettings) -> Options {
    let security = &kafka.security;
    let mut lines = vec![("security.protocol".to_owned(), security.protocol.as_str().to_owned())];
    if security.protocol.has_login() {
        lines.push(("sasl.mechanism".to_owned(), security.sasl_mechanism.clone()));
        if let Some(username) = &security.username {
            lines.push(("sasl.username".to_owned(), username.clone()));
        }
        if let Some(password) = &security.password {
            lines.push(("sasl.password".to_owned(), password.expose().to_owned()));
        }
    }
    if let Some(path) = &security.ca_file {
        lines.push(("ssl.ca.location".to_owned(), path.display().to_string()));
    }
    Options {
        bootstrap: kafka.bootstrap.clone(),
        prefix: kafka.topic_prefix.clone(),
        instance: kafka.instance.clone(),
        session_timeout_ms: u32::try_from(kafka.session_timeout.as_millis()).unwrap_or(10_000),
        security: lines,
    }
}

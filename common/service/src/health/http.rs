//! `/livez`, `/readyz` and `/metrics` over HTTP, for supervisors and Prometheus.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Health, Report};

#[derive(Clone)]
struct Served {
    health: Health,
    metrics: PrometheusHandle,
}

/// The routes.
pub fn router(health: Health, metrics: PrometheusHandle) -> Router {
    Router::new()
        .route("/livez", get(|State(served): State<Served>| async move { answer(&served.health.liveness()) }))
        .route("/readyz", get(|State(served): State<Served>| async move { answer(&served.health.readiness()) }))
        .route("/metrics", get(|State(served): State<Served>| async move { render(&served.metrics) }))
        .with_state(Served { health, metrics })
}

fn answer(report: &Report) -> Response {
    let status = if report.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let conditions: Map<String, Value> =
        report.conditions.iter().map(|(name, text)| (name.clone(), Value::from(text.as_str()))).collect();
    let body = json!({"ok": report.ok, "conditions": conditions}).to_string();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn render(metrics: &PrometheusHandle) -> Response {
    // Upkeep empties the histograms' buffers; who asks for metrics pays for it, and nobody else must run a timer.
    metrics.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], metrics.render()).into_response()
}

/// A listening health endpoint.
pub struct Server {
    listener: TcpListener,
    router: Router,
}

impl Server {
    /// Listens, but answers only once [`Server::run`] is polled.
    ///
    /// # Errors
    /// When the address is taken or not ours.
    pub async fn bind(listen: SocketAddr, health: Health, metrics: PrometheusHandle) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(listen).await?, router: router(health, metrics) })
    }

    /// Where it listens, with the port that was found.
    ///
    /// # Errors
    /// The operating system's.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until the token fires.
    ///
    /// # Errors
    /// The listener's.
    pub async fn run(self, stop: CancellationToken) -> io::Result<()> {
        tracing::info!(address = %self.address()?, "health endpoint");
        axum::serve(self.listener, self.router).with_graceful_shutdown(stop.cancelled_owned()).await
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::metrics;

    async fn ask(address: SocketAddr, path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok(text)
    }

    #[tokio::test]
    async fn endpoints_answer_with_reasons_and_stop_when_told() -> Result<(), Box<dyn std::error::Error>> {
        let health = Health::new();
        let database = health.condition("database");
        database.not_ready("no answer");
        let server = Server::bind(([127, 0, 0, 1], 0).into(), health, metrics::install()?).await?;
        let address = server.address()?;
        let stop = CancellationToken::new();
        let running = tokio::spawn(server.run(stop.clone()));
        let text = ask(address, "/readyz").await?;
        assert!(
            text.starts_with("HTTP/1.0 503") && text.ends_with(r#"{"ok":false,"conditions":{"database":"no answer"}}"#)
        );
        assert!(ask(address, "/livez").await?.starts_with("HTTP/1.0 200"));
        database.ready();
        assert!(ask(address, "/readyz").await?.starts_with("HTTP/1.0 200"));
        ::metrics::counter!(metrics::MESSAGES, "worker" => "registry").increment(3);
        assert!(ask(address, "/metrics").await?.contains("pursight_engine_messages_total{worker=\"registry\"} 3"));
        stop.cancel();
        running.await??;
        Ok(())
    }
}

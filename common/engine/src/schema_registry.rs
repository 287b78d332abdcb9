//! Looks up schema ids that are not ours in a Confluent-compatible registry, where one is configured.
//! One request at a time, misses are remembered for a while; without a registry every foreign id is unknown.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pursight_schemas::codec;
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::failure::Failure;

/// How long an id stays unknown before it is asked for again.
const MISS: Duration = Duration::from_secs(60);
/// Ids remembered as unknown at most.
const MAX_MISSES: usize = 10_000;
/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest answer, bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// A registry, or none.
pub struct SchemaRegistry {
    place: Option<(reqwest::Client, String)>,
    misses: Mutex<HashMap<u32, Instant>>,
}

#[derive(Deserialize)]
struct Answer {
    schema: String,
}

impl SchemaRegistry {
    /// The registry at `url`; `None`: there is none.
    ///
    /// # Errors
    /// [`Failure::Fatal`] when the client cannot be made.
    pub fn new(url: Option<&str>) -> Result<Self, Failure> {
        let place = match url {
            None => None,
            Some(url) => {
                let built =
                    reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).build();
                let client = built.map_err(|error| {
                    Failure::fatal(format!("cannot make an HTTP client: {error}"), "check SCHEMA_REGISTRY_URL")
                })?;
                Some((client, url.trim_end_matches('/').to_owned()))
            }
        };
        Ok(Self { place, misses: Mutex::default() })
    }

    /// Makes an id readable if the registry knows it; says whether it is readable now.
    ///
    /// # Errors
    /// [`Failure::Transient`] while the registry is away: then it is not known whether the id is good.
    pub async fn learn(&self, id: u32) -> Result<bool, Failure> {
        let Some((client, url)) = &self.place else { return Ok(false) };
        let mut misses = self.misses.lock().await;
        if misses.get(&id).is_some_and(|at| at.elapsed() < MISS) {
            return Ok(false);
        }
        let away =
            |error: reqwest::Error| Failure::transient("the schema registry cannot be asked", error.without_url());
        let answer = client.get(format!("{url}/schemas/ids/{id}")).send().await.map_err(away)?;
        let known = match answer.status().as_u16() {
            200 => {
                let bytes = capped(answer).await.map_err(away)?;
                let text = bytes.and_then(|bytes| serde_json::from_slice::<Answer>(&bytes).ok());
                text.is_some_and(|Answer { schema }| {
                    codec::learn(id, &schema).inspect_err(|error| tracing::warn!(%error, "foreign schema")).is_ok()
                })
            }
            404 => false,
            status => {
                let error = std::io::Error::other(format!("status {status}"));
                return Err(Failure::transient("the schema registry answers with an error", error));
            }
        };
        if !known {
            if misses.len() >= MAX_MISSES {
                misses.clear();
            }
            misses.insert(id, Instant::now());
        }
        Ok(known)
    }
}

/// The body of an answer; none where it is larger than any schema. It is never held whole before that is known.
async fn capped(mut answer: reqwest::Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        if bytes.len() + piece.len() > MAX_ANSWER {
            return Ok(None);
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(Some(bytes))
}

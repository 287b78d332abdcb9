//! TLS towards customers' servers as their `TlsPolicy` demands it: what the mode means, the handshake, and what was
//! negotiated. Knows the PostgreSQL way of asking for TLS; nothing is ever tried again with less.

use std::io;
use std::sync::Arc;

use pursight_schemas::{DataSourceSpec, Location, Micros, TlsMode};
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::problem::{Refused, code, io_word, refused, with_native};
use crate::verify::{self, Demand, Verifier};
use crate::wire::Wire;
use pursight_secrets::Secret;

/// What a connection demands once DEFAULT has been given its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Plain.
    Plain,
    /// TLS that meets the demand.
    Tls(Demand),
}

/// What was negotiated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TlsFacts {
    pub(crate) version: Option<String>,
    pub(crate) cipher: Option<String>,
    pub(crate) certificate_not_after: Option<Micros>,
}

/// Keys and certificates of a source, fetched.
#[derive(Clone, Default)]
pub(crate) struct TlsSecrets {
    pub(crate) ca: Option<Secret>,
    pub(crate) certificate: Option<Secret>,
    pub(crate) key: Option<Secret>,
}

/// Everything that one source's handshakes need.
#[derive(Clone)]
pub(crate) struct TlsSetup {
    mode: TlsMode,
    location: Location,
    server_name: Option<String>,
    roots: Arc<RootCertStore>,
    pinned: Arc<Vec<CertificateDer<'static>>>,
    client: Option<Arc<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>>,
}

impl TlsSetup {
    pub(crate) fn new(spec: &DataSourceSpec, secrets: &TlsSecrets) -> Result<Self, Refused> {
        let pinned = match &secrets.ca {
            Some(pem) => certificates(pem, "the certificate authority (tls.ca)")?,
            None => Vec::new(),
        };
        let client = match (&secrets.certificate, &secrets.key) {
            (Some(certificate), Some(key)) => {
                let chain = certificates(certificate, "the client certificate (tls.client_certificate)")?;
                let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes())
                    .map_err(|_| unreadable("the client key (tls.client_key)", "an unencrypted private key"))?;
                Some(Arc::new((chain, key)))
            }
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err(refused(
                    code::TLS_FAILED,
                    "the source names a client certificate without its key, or a key without its certificate",
                    "give the source both tls.client_certificate and tls.client_key, or neither",
                ));
            }
        };
        let roots = if pinned.is_empty() { verify::system_roots() } else { Arc::new(verify::roots_of(&pinned)?) };
        Ok(Self {
            mode: spec.tls.mode,
            location: spec.location,
            server_name: spec.tls.server_name.clone().filter(|name| !name.is_empty()),
            roots,
            pinned: Arc::new(pinned),
            client,
        })
    }

    /// What the policy means for an address.
    pub(crate) fn mode(&self, loopback: bool) -> Result<Mode, Refused> {
        let cloud = matches!(self.location, Location::Cloud | Location::Hybrid | Location::Unknown);
        match self.mode {
            TlsMode::Default | TlsMode::Unknown if cloud => Ok(Mode::Tls(Demand::Full)),
            TlsMode::Default | TlsMode::Unknown => Ok(Mode::Tls(Demand::Encrypted)),
            TlsMode::Disable | TlsMode::Require if cloud && !loopback => Err(downgrade()),
            TlsMode::Disable => Ok(Mode::Plain),
            TlsMode::Require => Ok(Mode::Tls(Demand::Encrypted)),
            TlsMode::VerifyCa => Ok(Mode::Tls(Demand::Chain)),
            TlsMode::VerifyFull => Ok(Mode::Tls(Demand::Full)),
        }
    }

    /// Makes the stream what the policy demands.
    pub(crate) async fn secure(
        &self,
        stream: TcpStream,
        host: &str,
        loopback: bool,
    ) -> Result<(Wire, TlsFacts), Refused> {
        match self.mode(loopback)? {
            Mode::Plain => Ok((Wire::plain(stream), TlsFacts::default())),
            Mode::Tls(demand) => self.handshake(stream, host, demand).await,
        }
    }

    async fn handshake(&self, mut stream: TcpStream, host: &str, demand: Demand) -> Result<(Wire, TlsFacts), Refused> {
        ask_for_tls(&mut stream).await?;
        let expected = self.server_name.as_deref().unwrap_or(host);
        let bare = expected.trim_start_matches('[').trim_end_matches([']', '.']).to_owned();
        let name = ServerName::try_from(bare.clone()).map_err(|_| {
            refused(
                code::TLS_FAILED,
                format!("\"{bare}\" cannot be the name in a certificate"),
                "correct tls.server_name of the source, or remove it",
            )
        })?;
        let verifier = Arc::new(Verifier::new(demand, self.roots.clone(), self.pinned.clone())?);
        let config = self.config(verifier.clone())?;
        let stream = match TlsConnector::from(config).connect(name, stream).await {
            Ok(stream) => stream,
            Err(error) => return Err(verify::handshake_problem(&error, &verifier, &bare)),
        };
        let (_, session) = stream.get_ref();
        let certificate = session.peer_certificates().and_then(|chain| chain.first()).cloned();
        let facts = TlsFacts {
            version: session.protocol_version().map(verify::version_text),
            cipher: session.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite())),
            certificate_not_after: certificate.as_ref().and_then(verify::not_after),
        };
        let binding = certificate.as_ref().and_then(verify::end_point_hash);
        Ok((Wire::tls(stream, demand != Demand::Encrypted, binding), facts))
    }

    fn config(&self, verifier: Arc<Verifier>) -> Result<Arc<ClientConfig>, Refused> {
        let unusable = |_| {
            refused(
                code::TLS_FAILED,
                "the client certificate and the client key of the source do not belong together, or cannot be used",
                "give the source a key of the kind RSA, ECDSA or Ed25519 with the certificate that was made for it",
            )
        };
        let verifier: Arc<dyn ServerCertVerifier> = verifier;
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match self.client.as_deref() {
            Some((chain, key)) => builder.with_client_auth_cert(chain.clone(), key.clone_key()).map_err(unusable)?,
            None => builder.with_no_client_auth(),
        };
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Arc::new(config))
    }
}

/// Asks a PostgreSQL server to begin TLS; reads exactly one byte, so that nothing sent in clear can slip in behind it.
async fn ask_for_tls(stream: &mut TcpStream) -> Result<(), Refused> {
    const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
    let lost = |error: io::Error| {
        with_native(
            refused(
                code::CONNECTION_REFUSED,
                "the connection was accepted, and closed again when TLS was asked for",
                "check that a PostgreSQL server listens on this port, and that no firewall or connection limit in \
                 front of it closes connections",
            ),
            io_word(&error),
        )
    };
    stream.write_all(&SSL_REQUEST).await.map_err(lost)?;
    let mut answer = [0];
    stream.read_exact(&mut answer).await.map_err(lost)?;
    match answer[0] {
        b'S' => Ok(()),
        b'N' => Err(with_native(
            refused(
                code::TLS_FAILED,
                "TLS was asked for, and the server offers none; nothing was sent in clear",
                "turn TLS on at the server (ssl = on with ssl_cert_file and ssl_key_file in postgresql.conf, then reload); \
                 only for a server on a loopback address or in your own network may the source set tls.mode to DISABLE",
            ),
            "not_offered",
        )),
        _ => Err(with_native(
            refused(
                code::TLS_FAILED,
                "TLS was asked for, and the answer was not one that a PostgreSQL server gives",
                "check host and port: something else seems to listen there",
            ),
            "not_postgresql",
        )),
    }
}

fn downgrade() -> Refused {
    refused(
        code::TLS_DOWNGRADE,
        "the source asks for a connection that does not verify the server, and its location is CLOUD or HYBRID",
        "set tls.mode to VERIFY_FULL (or leave it at DEFAULT) and, if the server's certificate is not signed by a public \
         authority, name your own in tls.ca",
    )
}

fn certificates(pem: &Secret, what: &str) -> Result<Vec<CertificateDer<'static>>, Refused> {
    // More than this is no list of certificates but something else.
    const MAX_PEM: usize = 1024 * 1024;
    let text = pem.expose().as_bytes();
    if text.len() > MAX_PEM {
        return Err(unreadable(what, "at least one certificate and at most 1 MiB"));
    }
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match found {
        Ok(list) if !list.is_empty() => Ok(list),
        Ok(_) | Err(_) => Err(unreadable(what, "at least one certificate")),
    }
}

fn unreadable(what: &str, wanted: &str) -> Refused {
    refused(
        code::TLS_FAILED,
        format!("{what} is not {wanted} in PEM form"),
        format!("store {what} again as PEM text, beginning with -----BEGIN"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(mode: TlsMode, location: Location) -> TlsSetup {
        let mut spec = DataSourceSpec { location, ..DataSourceSpec::default() };
        spec.tls.mode = mode;
        TlsSetup::new(&spec, &TlsSecrets::default()).unwrap_or_else(|problem| panic!("{problem:?}"))
    }

    #[test]
    fn every_mode_has_one_meaning_per_location() {
        let (plain, encrypted) = (Mode::Plain, Mode::Tls(Demand::Encrypted));
        let (chain, full) = (Mode::Tls(Demand::Chain), Mode::Tls(Demand::Full));
        for (mode, location, remote, loopback) in [
            (TlsMode::Default, Location::OnPrem, Some(encrypted), encrypted),
            (TlsMode::Default, Location::Cloud, Some(full), full),
            (TlsMode::Unknown, Location::Hybrid, Some(full), full),
            (TlsMode::Disable, Location::OnPrem, Some(plain), plain),
            (TlsMode::Disable, Location::Cloud, None, plain),
            (TlsMode::Disable, Location::Hybrid, None, plain),
            (TlsMode::Require, Location::OnPrem, Some(encrypted), encrypted),
            (TlsMode::Require, Location::Cloud, None, encrypted),
            (TlsMode::VerifyCa, Location::Cloud, Some(chain), chain),
            (TlsMode::VerifyFull, Location::OnPrem, Some(full), full),
        ] {
            let setup = setup(mode, location);
            assert_eq!(setup.mode(false).ok(), remote, "{mode:?} {location:?}");
            assert_eq!(setup.mode(true).ok(), Some(loopback), "{mode:?} {location:?}");
        }
    }
}

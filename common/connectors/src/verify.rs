//! Judging a server's certificate: three demands, one verifier, and what to tell people when it fails. Verification
//! itself stays with rustls; parsing here is only for dates and names, and its input is hostile.

use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use pursight_schemas::Micros;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, ProtocolVersion, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256, Sha384, Sha512};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::problem::{Refused, code, refused, with_native};

/// Certificates above this size are not looked into.
const MAX_CERTIFICATE: usize = 64 * 1024;

/// How much a certificate has to prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    /// That somebody holds its key.
    Encrypted,
    /// And that an authority we trust signed it.
    Chain,
    /// And that it was signed for this name.
    Full,
}

/// The verifier of one handshake; remembers the certificate it saw.
#[derive(Debug)]
pub(crate) struct Verifier {
    demand: Demand,
    inner: Option<Arc<WebPkiServerVerifier>>,
    pinned: Arc<Vec<CertificateDer<'static>>>,
    provider: Arc<CryptoProvider>,
    seen: Mutex<Option<CertificateDer<'static>>>,
}

impl Verifier {
    pub(crate) fn new(
        demand: Demand,
        roots: Arc<RootCertStore>,
        pinned: Arc<Vec<CertificateDer<'static>>>,
    ) -> Result<Self, Refused> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let inner = match demand {
            Demand::Encrypted => None,
            Demand::Chain | Demand::Full => Some(
                WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build().map_err(|_| no_roots())?,
            ),
        };
        Ok(Self { demand, inner, pinned, provider, seen: Mutex::new(None) })
    }

    fn seen(&self) -> Option<CertificateDer<'static>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A certificate that is itself in `tls.ca` is trusted as itself: servers with a self-signed certificate are
    /// given out that way, and chain building refuses an authority as a server.
    fn judge_pinned(&self, certificate: &CertificateDer<'_>, now: UnixTime) -> Option<Result<(), Error>> {
        if !self.pinned.iter().any(|known| known.as_ref() == certificate.as_ref()) {
            return None;
        }
        let (_, parsed) = X509Certificate::from_der(certificate.as_ref()).ok()?;
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let validity = parsed.validity();
        Some(if now > validity.not_after.timestamp() {
            Err(Error::InvalidCertificate(CertificateError::Expired))
        } else if now < validity.not_before.timestamp() {
            Err(Error::InvalidCertificate(CertificateError::NotValidYet))
        } else {
            Ok(())
        })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.clone().into_owned());
        let Some(inner) = &self.inner else { return Ok(ServerCertVerified::assertion()) };
        if let Some(judged) = self.judge_pinned(end_entity, now) {
            judged?;
            if self.demand == Demand::Full {
                let parsed = rustls::server::ParsedCertificate::try_from(end_entity)?;
                rustls::client::verify_server_name(&parsed, server_name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        match inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The chain is judged before the name, so a wrong name is all that is wrong.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.demand == Demand::Chain => Ok(ServerCertVerified::assertion()),
            judged => judged,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The public authorities: those of the system, and a built-in list where the system has none.
pub(crate) fn system_roots() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    const BUNDLES: [&str; 3] =
        ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
    let load = || {
        let mut store = RootCertStore::empty();
        for bundle in BUNDLES {
            if let Ok(certificates) = CertificateDer::pem_file_iter(bundle) {
                store.add_parsable_certificates(certificates.flatten());
                break;
            }
        }
        if store.is_empty() {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        Arc::new(store)
    };
    ROOTS.get_or_init(load).clone()
}

/// The authorities of a source.
pub(crate) fn roots_of(certificates: &[CertificateDer<'static>]) -> Result<RootCertStore, Refused> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(certificates.iter().cloned());
    if store.is_empty() { Err(no_roots()) } else { Ok(store) }
}

fn no_roots() -> Refused {
    refused(
        code::TLS_FAILED,
        "the certificate authority of the source (tls.ca) holds no certificate that can be trusted",
        "store the PEM text of the authority that signed the server's certificate and name it in tls.ca",
    )
}

pub(crate) fn version_text(version: ProtocolVersion) -> String {
    match version {
        ProtocolVersion::TLSv1_2 => "TLSv1.2".to_owned(),
        ProtocolVersion::TLSv1_3 => "TLSv1.3".to_owned(),
        other => format!("{other:?}"),
    }
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    if certificate.len() > MAX_CERTIFICATE {
        return None;
    }
    X509Certificate::from_der(certificate.as_ref()).ok().map(|(_, parsed)| parsed)
}

/// The end of a certificate.
pub(crate) fn not_after(certificate: &CertificateDer<'_>) -> Option<Micros> {
    let seconds = parse(certificate)?.validity().not_after.timestamp();
    seconds.checked_mul(1_000_000).map(Micros)
}

/// The channel binding `tls-server-end-point` of RFC 5929: the certificate's hash under its own signature's hash,
/// SHA-256 in place of older ones. `None` where the signature has no hash of its own.
pub(crate) fn end_point_hash(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let oid = parse(certificate)?.signature_algorithm.algorithm.to_id_string();
    let der = certificate.as_ref();
    match oid.as_str() {
        // RSA and ECDSA with MD5, SHA-1 and SHA-256.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => Some(Sha256::digest(der).to_vec()),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Some(Sha384::digest(der).to_vec()),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Some(Sha512::digest(der).to_vec()),
        _ => None,
    }
}

/// What a failed handshake means.
pub(crate) fn handshake_problem(error: &io::Error, verifier: &Verifier, expected: &str) -> Refused {
    let seen = verifier.seen();
    let fault = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let Some(Error::InvalidCertificate(fault)) = fault else { return broken(fault) };
    match fault {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => failed(
            "expired",
            format!("the server's certificate expired{}", seen.and_then(|c| date(&c, false)).unwrap_or_default()),
            "give the server a new certificate (ssl_cert_file) and reload it",
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => failed(
            "not_yet_valid",
            format!(
                "the server's certificate is not valid yet{}",
                seen.and_then(|c| date(&c, true)).unwrap_or_default()
            ),
            "check the clocks of both machines and the dates of the server's certificate",
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => failed(
            "name_mismatch",
            format!(
                "the server's certificate is not for \"{expected}\"; it is for {}",
                seen.as_ref().map_or_else(|| "other names".to_owned(), names)
            ),
            "let the source name the host as the certificate does, or set tls.server_name to that name, or give the \
             server a certificate for this host (as a subject alternative name; the common name does not count)",
        ),
        CertificateError::UnknownIssuer | CertificateError::BadSignature => failed(
            "unknown_ca",
            format!(
                "the server's certificate was signed by {}, which is not an authority that this source trusts",
                seen.as_ref().and_then(issuer).unwrap_or_else(|| "somebody".to_owned())
            ),
            "store the certificate of the authority that signed it with `pursight secret seal` and name the reference \
             in tls.ca of the source",
        ),
        _ => failed(
            "invalid_certificate",
            "the server's certificate cannot be accepted".to_owned(),
            "give the server a version 3 certificate for server authentication, or name the server's own certificate \
             in tls.ca of the source",
        ),
    }
}

fn broken(fault: Option<&Error>) -> Refused {
    match fault {
        Some(Error::AlertReceived(alert)) => failed(
            "alert",
            format!("the server ended the TLS handshake with the alert {alert:?}"),
            "check that the server allows TLS 1.2 or 1.3 (ssl_min_protocol_version, ssl_ciphers) and, if it demands a \
             client certificate, name one in tls.client_certificate and tls.client_key",
        ),
        Some(_) => failed(
            "handshake",
            "the TLS handshake with the server failed".to_owned(),
            "check that the server allows TLS 1.2 or 1.3 (ssl_min_protocol_version, ssl_ciphers)",
        ),
        None => failed(
            "handshake",
            "the server closed the connection during the TLS handshake".to_owned(),
            "look into the server's log for the reason; often it is ssl_min_protocol_version or a demanded client \
             certificate",
        ),
    }
}

fn failed(native: &str, message: String, remedy: &str) -> Refused {
    with_native(refused(code::TLS_FAILED, message, remedy), native)
}

fn date(certificate: &CertificateDer<'_>, start: bool) -> Option<String> {
    let parsed = parse(certificate)?;
    let time = if start { parsed.validity().not_before } else { parsed.validity().not_after };
    let micros = Micros(time.timestamp().checked_mul(1_000_000)?);
    Some(format!(" ({} {})", if start { "from" } else { "on" }, micros.rfc3339()))
}

fn names(certificate: &CertificateDer<'_>) -> String {
    let Some(parsed) = parse(certificate) else { return "names that cannot be read".to_owned() };
    let mut found = Vec::new();
    if let Ok(Some(alternatives)) = parsed.subject_alternative_name() {
        for name in alternatives.value.general_names.iter().take(8) {
            match name {
                GeneralName::DNSName(dns) => found.push(format!("\"{}\"", clean(dns))),
                GeneralName::IPAddress(bytes) => found.extend(address(bytes)),
                _ => {}
            }
        }
    }
    if found.is_empty() {
        "no name at all (only its common name, which does not count)".to_owned()
    } else {
        found.join(", ")
    }
}

fn address(bytes: &[u8]) -> Option<String> {
    let ip: std::net::IpAddr = match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok()?.into(),
        16 => <[u8; 16]>::try_from(bytes).ok()?.into(),
        _ => return None,
    };
    Some(ip.to_string())
}

fn issuer(certificate: &CertificateDer<'_>) -> Option<String> {
    Some(format!("\"{}\"", clean(&parse(certificate)?.issuer().to_string())))
}

/// A server's text, bounded and without control characters.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}

/// Everything that a person may be shown of a certificate.
#[cfg(fuzzing)]
pub(crate) fn shown(certificate: &CertificateDer<'_>) -> [Option<String>; 4] {
    [date(certificate, true), date(certificate, false), Some(names(certificate)), issuer(certificate)]
}

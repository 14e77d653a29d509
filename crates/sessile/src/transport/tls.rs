//! TLS for one session: whom to trust, who we are.
//!
//! The roots are loaded once for the process; a session's tickets are its own, so that a server
//! can't link two sessions by them.

use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;

use crate::error::{Error, TlsFault};
use crate::secret::Secret;

/// How many tickets a session keeps: enough for a site and its neighbours, at 1.4 KB a session.
const TICKETS: usize = 8;

/// Whom a session trusts and who it says it is.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TlsOptions {
    /// Whom to trust. Defaults to the system's roots.
    pub trust: Trust,
    /// A client certificate. Defaults to none.
    pub identity: Option<ClientIdentity>,
}

/// Which servers are believed.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Trust {
    /// Every server, whoever it is. Only for a test machine: anybody on the way can read along.
    DangerAnyone,
    /// Those that the system trusts.
    #[default]
    System,
    /// Those that the system trusts, and these authorities (the text of a PEM file).
    SystemAnd(Vec<u8>),
}

/// A client certificate with its key.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientIdentity {
    chain: Vec<u8>,
    key: Secret<Vec<u8>>,
}

impl ClientIdentity {
    /// A certificate chain and its private key, both as the text of a PEM file.
    pub fn from_pem(chain: Vec<u8>, key: Secret<Vec<u8>>) -> Self {
        Self { chain, key }
    }
}

/// Builds the configuration of one session.
///
/// # Errors
///
/// [`Error::BadRequest`] where a PEM text holds no certificate or key, or the key doesn't fit.
pub(crate) fn client_config(options: &TlsOptions) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = verifier(&options.trust, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::bad_request(format!("TLS can't be set up: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match &options.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = read_identity(identity)?;
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                Error::bad_request(format!("the client certificate can't be used: {error}"))
            })?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.resumption = Resumption::in_memory_sessions(TICKETS);
    Ok(Arc::new(config))
}

fn verifier(
    trust: &Trust,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    match trust {
        Trust::DangerAnyone => Ok(Arc::new(AnyServer(Arc::clone(provider)))),
        Trust::System => system_verifier(provider),
        Trust::SystemAnd(pem) => extended_verifier(pem, provider),
    }
}

/// The system's roots and others: loaded once for all sessions that name the same ones.
fn extended_verifier(
    pem: &[u8],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    static IN_USE: Mutex<Vec<(Vec<u8>, Weak<Verifier>)>> = Mutex::new(Vec::new());
    let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
    in_use.retain(|(_, verifier)| verifier.strong_count() > 0);
    let known = in_use.iter().find(|(known, _)| *known == pem);
    if let Some(verifier) = known.and_then(|(_, verifier)| verifier.upgrade()) {
        return Ok(verifier);
    }
    let extra = read_certificates(pem)?;
    let verifier = Verifier::new_with_extra_roots(extra, Arc::clone(provider))
        .map_err(|error| Error::bad_request(format!("the CA file can't be used: {error}")))?;
    let verifier = Arc::new(verifier);
    in_use.push((pem.to_vec(), Arc::downgrade(&verifier)));
    Ok(verifier)
}

/// The system's roots: loaded once, since reading them costs milliseconds.
fn system_verifier(provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    static SYSTEM: OnceLock<Result<Arc<Verifier>, String>> = OnceLock::new();
    let verifier = SYSTEM.get_or_init(|| {
        Verifier::new(Arc::clone(provider))
            .map(Arc::new)
            .map_err(|error| error.to_string())
    });
    match verifier {
        Ok(verifier) => Ok(Arc::<Verifier>::clone(verifier)),
        Err(detail) => Err(Error::bad_request(format!(
            "the system's certificate authorities can't be loaded: {detail}"
        ))),
    }
}

fn read_certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates
        .map_err(|error| Error::bad_request(format!("a PEM file can't be read: {error}")))?;
    if certificates.is_empty() {
        return Err(Error::bad_request("a PEM file holds no certificate"));
    }
    Ok(certificates)
}

fn read_identity(
    identity: &ClientIdentity,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
    let chain = read_certificates(&identity.chain)?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.expose()).map_err(|error| {
        Error::bad_request(format!(
            "the client certificate's key can't be read: {error}"
        ))
    })?;
    Ok((chain, key))
}

/// Why there is no TLS connection.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    fault: TlsFault,
    detail: String,
}

impl Trouble {
    /// The error that a session tells.
    pub(super) fn with(self, origin: String) -> Error {
        Error::Tls {
            origin,
            fault: self.fault,
            detail: self.detail,
        }
    }
}

/// What TLS says; `None` where it was the connection that failed.
pub(super) fn explain(error: &io::Error) -> Option<Trouble> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let (fault, detail) = match error {
        rustls::Error::InvalidCertificate(why) => explain_certificate(why),
        rustls::Error::AlertReceived(alert) => explain_alert(*alert),
        rustls::Error::InvalidMessage(_) => (
            TlsFault::NotTls,
            "the server doesn't speak TLS on this port".to_owned(),
        ),
        other => (TlsFault::Other, other.to_string()),
    };
    Some(Trouble { fault, detail })
}

fn explain_certificate(why: &CertificateError) -> (TlsFault, String) {
    use CertificateError as Why;
    match why {
        Why::UnknownIssuer => (
            TlsFault::UnknownIssuer,
            "the certificate was signed by nobody that this machine trusts; if the server is \
             yours, add its authority to the trusted ones"
                .to_owned(),
        ),
        Why::Expired | Why::ExpiredContext { .. } => (
            TlsFault::Expired,
            format!("the server has to renew its certificate: {why}"),
        ),
        Why::NotValidYet | Why::NotValidYetContext { .. } => (
            TlsFault::NotValidYet,
            format!("the certificate is not valid yet, or this machine's clock is wrong: {why}"),
        ),
        Why::NotValidForName | Why::NotValidForNameContext { .. } => (
            TlsFault::WrongHost,
            format!("the certificate is another host's: {why}"),
        ),
        other => (
            TlsFault::Other,
            format!("the certificate can't be believed: {other}"),
        ),
    }
}

fn explain_alert(alert: AlertDescription) -> (TlsFault, String) {
    use AlertDescription as Alert;
    match alert {
        Alert::CertificateRequired => (
            TlsFault::ClientCertificate,
            "the server wants a client certificate; give the session one".to_owned(),
        ),
        Alert::BadCertificate
        | Alert::CertificateExpired
        | Alert::CertificateRevoked
        | Alert::CertificateUnknown
        | Alert::UnknownCA
        | Alert::UnsupportedCertificate => (
            TlsFault::ClientCertificate,
            format!("the server refused the client certificate: {alert:?}"),
        ),
        other => (
            TlsFault::Other,
            format!("the server broke the handshake off: {other:?}"),
        ),
    }
}

/// Believes every certificate; the signatures are still checked.
#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

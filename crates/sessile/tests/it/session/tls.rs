//! Who is believed, who we say we are, and HTTP/2.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, Response};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, ServerConfig};
use sessile::session::SessionBuilder;
use sessile::transport::{ClientIdentity, ConnectOptions, TlsOptions, Trust};
use sessile::{Blame, Error, Secret};
use tokio_rustls::TlsAcceptor;

use super::server::{Conn, Server};
use super::{builder, fetch, shown};

/// Signs certificates for a test.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key.
struct Signed {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Two authorities of one name would be told apart by their signatures alone.
        let name = format!("authority {}", key.public_key_pem());
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// TLS options that trust it.
    pub(super) fn options(&self) -> TlsOptions {
        let mut options = TlsOptions::default();
        options.trust = Trust::SystemAnd(self.pem.clone().into_bytes());
        options
    }

    fn sign(&self, change: impl FnOnce(&mut CertificateParams)) -> Signed {
        let names = ["shop.test".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Signed { certificate, key }
    }
}

impl Signed {
    fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }
}

/// A server for `shop.test` and `127.0.0.1` that says what it was asked.
pub(super) async fn secure_server(authority: &Authority, alpn: &[&str]) -> Server {
    serve(authority.sign(|_| {}), alpn, None).await
}

async fn serve(signed: Signed, alpn: &[&str], clients: Option<&Authority>) -> Server {
    let acceptor = acceptor(&signed, alpn, clients);
    Server::start(move |conn| converse(acceptor.clone(), conn)).await
}

/// What speaks TLS for a server of these protocols.
pub(super) fn speaker(authority: &Authority, alpn: &[&str]) -> TlsAcceptor {
    acceptor(&authority.sign(|_| {}), alpn, None)
}

fn acceptor(signed: &Signed, alpn: &[&str], clients: Option<&Authority>) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = rustls::RootCertStore::empty();
            let root = rustls::pki_types::pem::PemObject::from_pem_slice(authority.pem.as_bytes());
            roots.add(root.unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let key = signed.key();
    let mut config = builder
        .with_single_cert(vec![signed.certificate.der().clone()], key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

async fn converse(acceptor: TlsAcceptor, conn: Conn) {
    let Ok(stream) = acceptor.accept(conn.stream).await else {
        return;
    };
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let handshake = stream.get_ref().1.handshake_kind().unwrap();
    let io = TokioIo::new(stream);
    let service =
        service_fn(|request| async move { Ok::<_, Infallible>(tell(&request, handshake)) });
    // Clients that go away are part of the tests.
    let _ended = if is_http2 {
        let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        builder.serve_connection(io, service).await
    } else {
        let builder = hyper::server::conn::http1::Builder::new();
        builder.serve_connection(io, service).await
    };
}

fn tell(
    request: &Request<hyper::body::Incoming>,
    handshake: HandshakeKind,
) -> Response<Full<Bytes>> {
    let host = request
        .headers()
        .get("host")
        .and_then(|host| host.to_str().ok());
    let host = request
        .uri()
        .authority()
        .map(|authority| authority.as_str())
        .or(host);
    let host = host.unwrap_or("").split(':').next().unwrap_or("");
    let path = request.uri().path();
    let names: String = request
        .headers()
        .keys()
        .map(|name| format!(" {name}"))
        .collect();
    let text = match path {
        "/handshake" => format!("{handshake:?}"),
        "/headers" => names,
        _ => format!("{:?} {host} {path}", request.version()),
    };
    Response::new(Full::new(Bytes::from(text)))
}

fn trusting(tls: TlsOptions) -> SessionBuilder {
    let mut options = ConnectOptions::default();
    options.tls = tls;
    let here = "127.0.0.1".parse().unwrap();
    options.hosts = ["shop.test", "other.test"]
        .map(|host| (host.to_owned(), vec![here]))
        .into();
    builder().connect(options)
}

/// Fetches over TLS; an error is checked to blame the server, and shown without its port.
async fn ask(server: &Server, host: &str, tls: TlsOptions) -> Result<String, String> {
    let session = trusting(tls).build().unwrap();
    let url = format!("https://{host}:{}/", server.port());
    fetch(&session, &url).await.map_err(|error| {
        assert!(matches!(error, Error::Tls { .. }), "{error:?}");
        assert_eq!(error.blame(), Blame::Server);
        assert!(!error.is_retry_sensible());
        let text = shown(&error, server.port());
        let start = format!("no trusted TLS connection to https://{host}:PORT: ");
        text.strip_prefix(&start)
            .expect("names the server")
            .to_owned()
    })
}

#[tokio::test]
async fn an_authority_can_be_added() {
    let authority = Authority::new();
    let server = secure_server(&authority, &["http/1.1"]).await;
    for host in ["shop.test", "127.0.0.1"] {
        let text = ask(&server, host, authority.options()).await.unwrap();
        assert_eq!(text, format!("HTTP/1.1 {host} /"));
    }
}

#[tokio::test]
async fn strangers_are_not_believed() {
    let authority = Authority::new();
    let server = secure_server(&authority, &[]).await;
    let unknown = Err(
        "the certificate was signed by nobody that this machine trusts; \
        if the server is yours, add its authority to the trusted ones"
            .to_owned(),
    );
    assert_eq!(
        ask(&server, "shop.test", TlsOptions::default()).await,
        unknown
    );
    let other = Authority::new().options();
    assert_eq!(ask(&server, "shop.test", other).await, unknown);
    let mut danger = TlsOptions::default();
    danger.trust = Trust::DangerAnyone;
    let text = ask(&server, "other.test", danger).await.unwrap();
    assert_eq!(text, "HTTP/1.1 other.test /");
}

#[tokio::test]
async fn a_certificate_of_another_host_is_named() {
    let authority = Authority::new();
    let server = secure_server(&authority, &[]).await;
    let error = ask(&server, "other.test", authority.options())
        .await
        .unwrap_err();
    assert!(
        error.starts_with("the certificate is another host's: "),
        "{error}"
    );
    assert!(error.contains("shop.test"), "{error}");
}

#[tokio::test]
async fn certificates_have_their_time() {
    let authority = Authority::new();
    let old = authority.sign(|params| {
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(2001, 1, 1);
    });
    let server = serve(old, &[], None).await;
    let error = ask(&server, "shop.test", authority.options())
        .await
        .unwrap_err();
    assert!(
        error.starts_with("the server has to renew its certificate: "),
        "{error}"
    );
    let young = authority.sign(|params| params.not_before = date_time_ymd(3000, 1, 1));
    let server = serve(young, &[], None).await;
    let error = ask(&server, "shop.test", authority.options())
        .await
        .unwrap_err();
    let start = "the certificate is not valid yet, or this machine's clock is wrong: ";
    assert!(error.starts_with(start), "{error}");
}

#[tokio::test]
async fn a_client_can_show_who_it_is() {
    let authority = Authority::new();
    for alpn in [&["http/1.1"], &["h2"]] {
        let server = serve(authority.sign(|_| {}), alpn, Some(&authority)).await;
        let error = ask(&server, "shop.test", authority.options())
            .await
            .unwrap_err();
        assert_eq!(
            error,
            "the server wants a client certificate; give the session one"
        );

        let client = |authority: &Authority| {
            let client = authority.sign(|params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            });
            let key = Secret::from(client.key.serialize_pem().into_bytes());
            ClientIdentity::from_pem(client.certificate.pem().into_bytes(), key)
        };
        let mut options = authority.options();
        options.identity = Some(client(&authority));
        assert!(ask(&server, "shop.test", options.clone()).await.is_ok());
        options.identity = Some(client(&Authority::new()));
        let error = ask(&server, "shop.test", options).await.unwrap_err();
        assert!(
            error.starts_with("the server refused the client certificate: "),
            "{error}"
        );
    }
}

#[tokio::test]
async fn files_that_hold_nothing_useful_are_the_caller_s_fault() {
    let mut options = TlsOptions::default();
    options.trust = Trust::SystemAnd(b"no certificate".to_vec());
    let session = trusting(options).build().unwrap();
    let server = Server::always("").await;
    let url = format!("https://shop.test:{}/", server.port());
    let error = fetch(&session, &url).await.unwrap_err();
    assert_eq!(error.to_string(), "a PEM file holds no certificate");
    assert_eq!(error.blame(), Blame::Caller);
}

#[tokio::test]
async fn a_server_without_tls_is_told_from_a_bad_certificate() {
    let server = Server::start(|mut conn| async move {
        conn.send("HTTP/1.1 400 Bad Request\r\n\r\n").await;
        conn.wait().await;
    })
    .await;
    let error = ask(&server, "127.0.0.1", TlsOptions::default()).await;
    assert_eq!(
        error,
        Err("the server doesn't speak TLS on this port".to_owned())
    );
}

#[tokio::test]
async fn one_http2_connection_carries_all() {
    let authority = Authority::new();
    let server = secure_server(&authority, &["h2", "http/1.1"]).await;
    let session = trusting(authority.options()).build().unwrap();
    let url = format!("https://shop.test:{}/", server.port());
    let all = join_all((0..50).map(|_| fetch(&session, &url))).await;
    assert!(
        all.iter()
            .all(|text| text.as_ref().unwrap() == "HTTP/2.0 shop.test /")
    );
    assert_eq!(server.connections(), 1);
    assert_eq!(session.connections(), 1);
}

#[tokio::test]
async fn http1_over_tls_opens_as_many_as_it_needs() {
    let authority = Authority::new();
    let server = secure_server(&authority, &["http/1.1"]).await;
    let session = trusting(authority.options()).build().unwrap();
    let url = format!("https://shop.test:{}/", server.port());
    for _ in 0..3 {
        let all = join_all((0..10).map(|_| fetch(&session, &url))).await;
        assert!(all.iter().all(Result::is_ok));
    }
    assert!(
        (2..=10).contains(&server.connections()),
        "{}",
        server.connections()
    );
}

#[tokio::test]
async fn http2_fields_keep_their_order() {
    let authority = Authority::new();
    let server = secure_server(&authority, &["h2"]).await;
    let session = trusting(authority.options())
        .header("x-b", "1")
        .header("connection", "close")
        .header("x-a", "2")
        .build()
        .unwrap();
    let url = format!("https://shop.test:{}/headers", server.port());
    let request = sessile::Request::get(url).cookie("c", "3");
    let text = session.send(request).await.unwrap().text().await.unwrap();
    assert_eq!(text, " x-b x-a cookie");
}

#[tokio::test]
async fn an_idle_http2_connection_goes_after_its_time() {
    let authority = Authority::new();
    let server = secure_server(&authority, &["h2"]).await;
    let session = trusting(authority.options()).build().unwrap();
    let url = format!("https://shop.test:{}/", server.port());
    fetch(&session, &url).await.unwrap();
    assert_eq!(session.connections(), 1);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(session.connections(), 0);
}

#[tokio::test]
async fn sessions_can_not_be_linked_by_their_tickets() {
    let authority = Authority::new();
    let server = secure_server(&authority, &["http/1.1"]).await;
    let url = format!("https://shop.test:{}/handshake", server.port());
    let session = || {
        trusting(authority.options())
            .header("connection", "close")
            .build()
    };
    let (one, two) = (session().unwrap(), session().unwrap());
    assert_eq!(fetch(&one, &url).await.unwrap(), "Full");
    assert_eq!(fetch(&one, &url).await.unwrap(), "Resumed");
    assert_eq!(fetch(&two, &url).await.unwrap(), "Full");
}

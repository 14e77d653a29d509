//! A tunnel through an HTTP proxy (RFC 9110, section 9.3.6).

use futures_util::future::join;
use http::{Method, Request, StatusCode, header};
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::body::SendBody;
use super::chain;
use crate::error::Obstacle;
use crate::transport::OutgoingBody;
use crate::transport::connections::Origin;
use crate::transport::proxy::Proxy;

/// Asks a proxy for a tunnel; fails with what stood in the way and what the proxy answered.
pub(in crate::transport) async fn tunnel(
    stream: TcpStream,
    proxy: &Proxy,
    origin: &Origin,
) -> Result<TcpStream, (Obstacle, String)> {
    let broken = |error: hyper::Error| (Obstacle::Proxy, chain(&error));
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(broken)?;
    let request = connect_request(proxy, origin);
    let asking = async move {
        let response = sender.send_request(request).await?;
        let status = response.status();
        Ok(match status.is_success() {
            true => Ok(hyper::upgrade::on(response).await?),
            false => Err(status),
        })
    };
    // The connection ends with the tunnel, or when nothing more is asked on it.
    let (asked, _ended) = join(asking, connection.with_upgrades()).await;
    let upgraded = asked
        .map_err(broken)?
        .map_err(|status| (obstacle(status), format!("it answered {status}")))?;
    let early = || {
        (
            Obstacle::Proxy,
            "it sent bytes before it was asked".to_owned(),
        )
    };
    let parts = Upgraded::downcast::<TokioIo<TcpStream>>(upgraded);
    let parts = parts.map_err(|_other| early())?;
    if !parts.read_buf.is_empty() {
        return Err(early());
    }
    Ok(parts.io.into_inner())
}

fn connect_request(proxy: &Proxy, origin: &Origin) -> Request<SendBody> {
    let authority = origin.authority();
    let mut request = Request::new(SendBody(OutgoingBody::Empty));
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() = authority
        .parse()
        .expect("a URL's host and port are an authority");
    let host = authority
        .parse()
        .expect("a URL's host and port are a header's value");
    request.headers_mut().insert(header::HOST, host);
    if let Some(authorization) = proxy.authorization() {
        let headers = request.headers_mut();
        headers.insert(header::PROXY_AUTHORIZATION, authorization);
    }
    request
}

/// Whether the proxy said no, or tried and failed.
fn obstacle(status: StatusCode) -> Obstacle {
    if status.is_client_error() {
        Obstacle::ProxyRefused
    } else {
        Obstacle::Proxy
    }
}

//! One stable address in front of the HTTP API, whatever id the emulator gave it.

use std::{io, net::SocketAddr, sync::Arc};

use axum::body::Body;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::net::TcpListener;

/// Where requests go.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// `host:port` of the emulator.
    pub authority: String,
    /// What is put before each path: `/_aws/execute-api/{api}/{stage}`.
    pub prefix: String,
}

struct Proxy {
    client: Client<HttpConnector, Incoming>,
    upstream: Upstream,
    port: u16,
}

/// Passes every request on, connection upgrades (WebSocket) included, until it is dropped.
pub async fn serve(listener: TcpListener, upstream: Upstream) -> io::Result<()> {
    let proxy = Arc::new(Proxy {
        client: Client::builder(TokioExecutor::new()).build_http(),
        upstream,
        port: listener.local_addr()?.port(),
    });
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of file descriptors, most likely: the next connection may fare better.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let proxy = Arc::clone(&proxy);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let proxy = Arc::clone(&proxy);
                async move { Ok::<_, std::convert::Infallible>(proxy.pass(request, peer).await) }
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
                .await;
        });
    }
}

impl Proxy {
    async fn pass(&self, mut request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        let Some(uri) = self.upstream.uri(request.uri()) else {
            return plain(StatusCode::BAD_REQUEST, "That path cannot be passed on.");
        };
        *request.uri_mut() = uri;
        self.forwarded(&mut request, peer);

        let client_side = request.headers().contains_key(header::UPGRADE).then(|| hyper::upgrade::on(&mut request));
        let mut response = match self.client.request(request).await {
            Ok(response) => response,
            Err(error) => {
                return plain(StatusCode::BAD_GATEWAY, &format!("The emulator does not answer: {error}"));
            }
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS
            && let Some(client_side) = client_side
        {
            let server_side = hyper::upgrade::on(&mut response);
            tokio::spawn(async move {
                if let (Ok(client), Ok(server)) = (client_side.await, server_side.await) {
                    let (mut client, mut server) = (TokioIo::new(client), TokioIo::new(server));
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                }
            });
        }
        response.map(Body::new)
    }

    /// The headers that API Gateway adds to every request.
    fn forwarded(&self, request: &mut Request<Incoming>, peer: SocketAddr) {
        let headers = request.headers_mut();
        let values = [
            ("x-forwarded-for", peer.ip().to_string()),
            ("x-forwarded-port", self.port.to_string()),
            ("x-forwarded-proto", "http".to_owned()),
        ];
        for (name, value) in values {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
}

impl Upstream {
    fn uri(&self, asked: &Uri) -> Option<Uri> {
        let path = asked.path_and_query()?.as_str();
        Uri::builder()
            .scheme("http")
            .authority(self.authority.as_str())
            .path_and_query(format!("{}{path}", self.prefix))
            .build()
            .ok()
    }
}

fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = status;
    response
}

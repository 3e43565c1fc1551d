//! One stable address in front of the HTTP API and of the WebSocket API, whatever ids the emulator gave them.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

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
    /// What is put before the path at which sockets are opened, which names the stage: `/_aws/execute-api/{api}`.
    pub sockets: String,
}

/// Where sockets are opened: the stage of their API.
pub const SOCKETS: &str = "/live";

struct Proxy {
    client: Client<HttpConnector, Incoming>,
    /// For what is upgraded: the emulator closes a connection on which it refused that, and says so to nobody.
    upgrades: Client<HttpConnector, Incoming>,
    upstream: Upstream,
    port: u16,
}

/// Passes every request on, connection upgrades (WebSocket) included, until it is dropped.
pub async fn serve(listener: TcpListener, upstream: Upstream) -> io::Result<()> {
    let proxy = Arc::new(Proxy {
        // Shorter than the emulator keeps a connection, so that it is never the one to close it first.
        client: Client::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(30)).build_http(),
        upgrades: Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http(),
        upstream,
        port: listener.local_addr()?.port(),
    });
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of file descriptors, most likely: the next connection may fare better.
            tokio::time::sleep(Duration::from_millis(50)).await;
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
        let client = if client_side.is_some() { &self.upgrades } else { &self.client };
        let mut response = match client.request(request).await {
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
        let prefix = if asked.path() == SOCKETS { &self.sockets } else { &self.prefix };
        Uri::builder()
            .scheme("http")
            .authority(self.authority.as_str())
            .path_and_query(format!("{prefix}{path}"))
            .build()
            .ok()
    }
}

fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;

    /// An upstream that answers its first request with `answer`, then echoes; and the proxy before it.
    async fn before(answer: &'static str) -> (TcpStream, tokio::task::JoinHandle<String>) {
        let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = upstream.local_addr().unwrap().to_string();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = upstream.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                tokio::io::copy(&mut from, &mut to).await
            });
            String::from_utf8(head).unwrap()
        });
        let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(proxy.local_addr().unwrap()).await.unwrap();
        let (prefix, sockets) = ("/_aws/execute-api/id/$default".into(), "/_aws/execute-api/sockets".into());
        tokio::spawn(serve(proxy, Upstream { authority, prefix, sockets }));
        (client, asked)
    }

    async fn read_until(stream: &mut TcpStream, end: &str) -> String {
        let mut read = Vec::new();
        while !read.ends_with(end.as_bytes()) {
            read.push(stream.read_u8().await.unwrap());
        }
        String::from_utf8(read).unwrap()
    }

    #[tokio::test]
    async fn a_request_keeps_its_path_its_query_and_its_host_and_gets_the_gateways_headers() {
        let (mut client, asked) = before("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;

        client.write_all(b"GET /a%2Fb/c?x=%20&x=2 HTTP/1.1\r\nhost: 127.0.0.1:3000\r\n\r\n").await.unwrap();

        assert!(read_until(&mut client, "\r\n\r\nok").await.starts_with("HTTP/1.1 200"));
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("GET /_aws/execute-api/id/$default/a%2Fb/c?x=%20&x=2 HTTP/1.1"), "{asked}");
        for header in ["host: 127.0.0.1:3000", "x-forwarded-for: 127.0.0.1", "x-forwarded-proto: http"] {
            assert!(asked.contains(header), "{asked}");
        }
    }

    #[tokio::test]
    async fn an_upgraded_connection_carries_bytes_both_ways() {
        let (mut client, asked) =
            before("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n").await;

        client
            .write_all(b"GET /live?token=t HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
            .await
            .unwrap();
        assert!(read_until(&mut client, "\r\n\r\n").await.starts_with("HTTP/1.1 101"));
        client.write_all(b"there and back").await.unwrap();

        read_until(&mut client, "there and back").await;
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("GET /_aws/execute-api/sockets/live?token=t HTTP/1.1"), "{asked}");
    }

    #[tokio::test]
    async fn an_emulator_that_is_gone_is_a_bad_gateway() {
        let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", proxy.local_addr().unwrap());
        // Port 9 is reserved for discarding what one sends there; nobody does so any more.
        tokio::spawn(serve(
            proxy,
            Upstream { authority: "127.0.0.1:9".into(), prefix: String::new(), sockets: String::new() },
        ));

        assert_eq!(reqwest::get(url).await.unwrap().status(), 502);
    }
}

//! The way out: to addresses that tenants and vendors give.
//!
//! An address is checked when it is saved and again at every connection, on the very address that is dialled: the
//! guard sits in the resolver, so what was checked is what is connected to. HTTPS only, port 443 only, no redirects,
//! no proxies from the environment. `EGRESS_ALLOW` names origins that are exempt: a stack on one machine lets its
//! stand-in through by it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::LazyLock,
    time::{Duration, Instant},
};

use http::{HeaderMap, header};
use ipnet::IpNet;
use reqwest::{
    Client, Method, RequestBuilder,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
use url::{Host, Origin, Url};

use crate::error::{Error, Result};

/// To connect: three seconds. For everything: fifteen.
const CONNECT: Duration = Duration::from_secs(3);
const WHOLE: Duration = Duration::from_secs(15);

/// The longest address that is taken.
const LONGEST: usize = 2_048;

/// How much of an answer's body is kept.
const KEPT: usize = 20_000;

/// What can be reached and must not be: everything that is not the public internet.
static FORBIDDEN: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    [
        // IPv4: this network, private, shared, loopback, link-local (metadata), protocol, documentation, 6to4 relay,
        // benchmarking, multicast, reserved and broadcast.
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        // IPv6: unspecified, loopback, NAT64 (two), discard, Teredo and other protocol uses, documentation (two), 6to4,
        // segment routing, unique local, link-local, site-local, multicast.
        "::/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    ]
    .iter()
    .filter_map(|net| net.parse().ok())
    .collect()
});

/// Whether an address belongs to the public internet.
pub fn is_public(address: IpAddr) -> bool {
    let address = address.to_canonical();
    !FORBIDDEN.iter().any(|net| net.contains(&address))
}

/// What may be shown of an address: its host, and the port where it is not the usual one.
pub fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// An address that must not be called, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(&'static str);

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// How long it took.
    pub took: Duration,
    /// What it was, or why there was none.
    pub outcome: Result<Answered, Silence>,
}

/// An answer from the other side.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Its status.
    pub status: u16,
    /// Its `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// The beginning of its body.
    pub body: String,
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Silence {
    /// The address must not be called.
    Refused,
    /// No connection, or it broke.
    Network,
    /// It took too long.
    Timeout,
    /// There is nowhere to send it: its endpoint was deleted.
    NoEndpoint,
}

/// Without it there is no way out that is guarded: then the function does not start.
const BUILDS: &str = "an HTTP client can be built";

/// The way out. Built once, cheap to clone.
#[derive(Clone)]
pub struct Egress {
    guarded: Client,
    exempt: Option<Client>,
    allowed: Vec<Origin>,
    vendors: Option<Url>,
}

impl Egress {
    /// `allowed`: origins exempt from the guard, separated by commas. `vendors`: the origin that stands in for every
    /// vendor's host, or nothing.
    pub fn new(allowed: &str, vendors: &str) -> Self {
        let client = || {
            Client::builder()
                .connect_timeout(CONNECT)
                .timeout(WHOLE)
                .redirect(redirect::Policy::none())
                .no_proxy()
                .user_agent("Crossdock/1")
        };
        let allowed: Vec<Origin> =
            allowed.split(',').filter_map(|origin| Url::parse(origin.trim()).ok()).map(|url| url.origin()).collect();
        Self {
            guarded: client().dns_resolver(PublicOnly).build().expect(BUILDS),
            exempt: (!allowed.is_empty()).then(|| client().build().expect(BUILDS)),
            allowed,
            vendors: Url::parse(vendors).ok(),
        }
    }

    /// Reads an address that somebody wants called, and says why not.
    pub fn check(&self, text: &str) -> Result<Url, Refused> {
        if text.len() > LONGEST {
            return Err(Refused("must have at most 2,048 characters"));
        }
        let url = Url::parse(text).map_err(|_| Refused("is not a URL"))?;
        self.admit(&url)?;
        Ok(url)
    }

    fn exempt(&self, url: &Url) -> Option<&Client> {
        self.exempt.as_ref().filter(|_| self.allowed.contains(&url.origin()))
    }

    fn admit(&self, url: &Url) -> Result<&Client, Refused> {
        if let Some(exempt) = self.exempt(url) {
            return Ok(exempt);
        }
        if url.scheme() != "https" {
            return Err(Refused("must begin with https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused("must not carry a user name or password"));
        }
        if url.port_or_known_default() != Some(443) {
            return Err(Refused("must use port 443"));
        }
        let public = match url.host() {
            Some(Host::Ipv4(address)) => is_public(address.into()),
            Some(Host::Ipv6(address)) => is_public(address.into()),
            Some(Host::Domain(name)) => {
                name.contains('.') && !name.ends_with(".localhost") && !name.ends_with(".internal")
            }
            None => false,
        };
        if public { Ok(&self.guarded) } else { Err(Refused("must lead to the public internet")) }
    }

    /// Looks an address up as a connection would, and connects to nothing. Three seconds at most.
    pub async fn look_up(&self, url: &Url) -> Result<(), Astray> {
        self.admit(url)?;
        if self.exempt(url).is_none()
            && let Some(Host::Domain(name)) = url.host()
        {
            let looked_up = tokio::time::timeout(CONNECT, public_addresses(name)).await;
            looked_up.unwrap_or(Err(Astray::Unknown))?;
        }
        Ok(())
    }

    /// Posts a body and reports what came of it; never an error of ours.
    pub async fn post(&self, url: &Url, headers: HeaderMap, body: Vec<u8>) -> Answer {
        let began = Instant::now();
        let outcome = match self.admit(url) {
            Ok(client) => receive(client.post(url.clone()).headers(headers).body(body), KEPT).await,
            Err(_) => Err(Silence::Refused),
        };
        Answer { took: began.elapsed(), outcome }
    }

    /// A request to an address that a tenant has given.
    pub fn get(&self, url: &Url) -> Result<RequestBuilder, Refused> {
        Ok(self.admit(url)?.get(url.clone()))
    }

    /// The address at which a vendor's host is called.
    pub fn vendor_url(&self, host: &str, path: &str) -> Result<Url> {
        let text = match &self.vendors {
            Some(origin) => format!("{}/{host}{path}", origin.as_str().trim_end_matches('/')),
            None => format!("https://{host}{path}"),
        };
        Url::parse(&text).map_err(|cause| Error::internal("a vendor's address", cause))
    }

    /// A request to a vendor.
    pub fn vendor(&self, method: Method, host: &str, path: &str) -> Result<RequestBuilder> {
        let url = self.vendor_url(host, path)?;
        let client = self.admit(&url).map_err(|cause| Error::internal("a vendor's address", cause))?;
        Ok(client.request(method, url))
    }

    /// The address as its vendor writes it: where an origin stands in for every vendor, the vendor's host is the first
    /// segment of the path there.
    pub fn vendors_own(&self, url: &Url) -> Option<Url> {
        let stands_in = self.vendors.as_ref().is_some_and(|origin| origin.origin() == url.origin());
        if !stands_in {
            return Some(url.clone());
        }
        Url::parse(&format!("https://{}", url[url::Position::BeforePath..].trim_start_matches('/'))).ok()
    }

    /// Sends a request to a vendor and keeps the beginning of the answer.
    pub async fn ask(&self, request: RequestBuilder) -> Result<Answered, Silence> {
        receive(request, KEPT).await
    }

    /// The same, keeping so many bytes of the answer: for lists.
    pub async fn ask_up_to(&self, request: RequestBuilder, most: usize) -> Result<Answered, Silence> {
        receive(request, most).await
    }
}

/// Sends it and keeps so many bytes of the answer.
async fn receive(request: RequestBuilder, most: usize) -> Result<Answered, Silence> {
    let why = |error: reqwest::Error| {
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(inner) = cause {
            if inner.is::<Refused>() {
                return Silence::Refused;
            }
            cause = inner.source();
        }
        if error.is_timeout() { Silence::Timeout } else { Silence::Network }
    };
    let mut response = request.send().await.map_err(why)?;
    let retry_after =
        response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(seconds);
    let mut body = Vec::new();
    while body.len() < most {
        // The status has arrived: a body that breaks off does not undo it.
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    body.truncate(most);
    Ok(Answered { status: response.status().as_u16(), retry_after, body: String::from_utf8_lossy(&body).into_owned() })
}

/// `Retry-After` (RFC 9110): seconds, or a date.
fn seconds(value: &str) -> Option<u64> {
    value.trim().parse().ok().or_else(|| {
        let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
        u64::try_from(at.duration_since(jiff::Timestamp::now()).as_secs()).ok()
    })
}

/// Why an address leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Astray {
    /// Its name is not known, or nobody answered who knows.
    #[error("its host has no address")]
    Unknown,
    /// It must not be called.
    #[error("it {0}")]
    Refused(#[from] Refused),
}

/// The addresses of a name, if all belong to the public internet.
async fn public_addresses(name: &str) -> Result<Vec<SocketAddr>, Astray> {
    let found: Vec<SocketAddr> = tokio::net::lookup_host((name, 0)).await.map_err(|_| Astray::Unknown)?.collect();
    match found.as_slice() {
        [] => Err(Astray::Unknown),
        // One private address among public ones is an attack, not a fallback.
        all if all.iter().all(|address| is_public(address.ip())) => Ok(found),
        _ => Err(Refused("must lead to the public internet").into()),
    }
}

/// Resolves names to addresses of the public internet, or not at all.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            match public_addresses(name.as_str()).await {
                Ok(found) => Ok(Box::new(found.into_iter()) as Addrs),
                Err(Astray::Refused(refused)) => Err(refused.into()),
                Err(unknown) => Err(unknown.into()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "169.254.169.254",
            "100.100.0.1",
            "192.168.1.1",
            "0.0.0.0",
            "255.255.255.255",
            "::1",
            "::",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "fd00:ec2::254",
            "fe80::1",
            "2002:7f00:1::",
            "::7f00:1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["1.1.1.1", "54.75.157.176", "2606:4700::1111"] {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
    }

    #[test]
    fn addresses_are_refused_with_a_reason() {
        let egress = Egress::new("", "");
        for (url, why) in [
            ("http://hook.eu1.make.com/x", "https"),
            ("https://10.0.0.1/x", "public"),
            ("https://[::ffff:127.0.0.1]/x", "public"),
            ("https://0x7f000001/x", "public"),
            ("https://localhost/x", "public"),
            ("https://metadata.google.internal/x", "public"),
            ("https://me:pass@hook.eu1.make.com/x", "password"),
            ("https://hook.eu1.make.com:8443/x", "port"),
            ("file:///etc/passwd", "https"),
            ("nonsense", "URL"),
        ] {
            let refused = egress.check(url).expect_err(url);
            assert!(refused.to_string().contains(why), "{url}: {refused}");
        }
        assert!(egress.check("https://hook.eu1.make.com/abc").is_ok());
    }

    #[test]
    fn an_allowed_origin_passes_and_its_neighbour_does_not() {
        let egress = Egress::new("http://127.0.0.1:3002", "");
        assert!(egress.check("http://127.0.0.1:3002/hook").is_ok());
        assert!(egress.check("http://127.0.0.1:3003/hook").is_err());
    }

    #[test]
    fn an_address_is_read_as_its_vendor_writes_it() {
        let url = |text: &str| Url::parse(text).unwrap();
        let played = Egress::new("http://127.0.0.1:3002", "http://127.0.0.1:3002");
        let hook = url("https://hook.eu1.make.com/abc?d=e");
        assert_eq!(played.vendors_own(&url("http://127.0.0.1:3002/hook.eu1.make.com/abc?d=e")), Some(hook.clone()));
        assert_eq!(played.vendors_own(&hook), Some(hook.clone()));
        assert_eq!(played.vendors_own(&url("http://127.0.0.1:3002/")), None);
        assert_eq!(Egress::new("", "").vendors_own(&hook), Some(hook));
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused_when_dialled() {
        let resolved = PublicOnly.resolve("localhost".parse().unwrap()).await;
        assert!(resolved.is_err());
        assert!(matches!(public_addresses("localhost").await, Err(Astray::Refused(_))));
        assert_eq!(public_addresses("nowhere.invalid").await, Err(Astray::Unknown));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds("Wed, 21 Oct 2015 07:28:00 GMT"), None);
        let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(2);
        let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&soon).unwrap();
        assert!(seconds(&date).is_some_and(|wait| (100..=120).contains(&wait)), "{date}");
        assert_eq!(seconds("soon"), None);
    }
}

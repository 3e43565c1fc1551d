//! TLS on this machine, with an authority made for one run.

use std::{fs, net::SocketAddr, path::Path, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use crate::Result;

/// Where distributions keep the roots that they trust: read besides ours, so that a function reads as much as it would.
const BUNDLES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// Who vouches for 127.0.0.1.
pub struct Authority(TlsAcceptor);

impl Authority {
    /// Makes one and writes the bundle that whoever trusts it needs.
    pub fn new(bundle: &Path) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "authority of this run");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let root = params.self_signed(&key)?;
        let issuer = Issuer::new(params, key);
        let own = KeyPair::generate()?;
        let leaf = CertificateParams::new(["127.0.0.1".to_owned()])?.signed_by(&own, &issuer)?;

        let system = BUNDLES.iter().find_map(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        fs::write(bundle, system + &root.pem())?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone()],
                PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.serialize_der())),
            )?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    /// Speaks TLS in front of a plain server of this machine. Where.
    pub async fn front(&self, behind: SocketAddr) -> Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("https://{}", listener.local_addr()?);
        let tls = self.0.clone();
        tokio::spawn(async move {
            while let Ok((outer, _)) = listener.accept().await {
                let tls = tls.clone();
                tokio::spawn(async move {
                    let _ = outer.set_nodelay(true);
                    let (Ok(mut outer), Ok(mut inner)) = tokio::join!(tls.accept(outer), TcpStream::connect(behind))
                    else {
                        return;
                    };
                    let _ = inner.set_nodelay(true);
                    let _ = copy_bidirectional(&mut outer, &mut inner).await;
                });
            }
        });
        Ok(address)
    }
}

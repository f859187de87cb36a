//! The client's half: a handshake with a server whose certificate must be good.
//! (ClientCnxnSocketNetty, ZKTrustManager)
//!
//! The files are read at every dial: a certificate that was renewed counts at once.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::SingleCertAndKey;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::error::TlsError;
use super::files;
use crate::runtime::os::socket::Socket;
use crate::runtime::tls::{ServerTrust, Store};

/// Whether a client could use these settings and files.
pub fn check_server_trust(settings: &ServerTrust) -> Result<(), TlsError> {
    config(settings).map(drop)
}

/// Carries the handshake out, until `end` at the latest.
pub(in crate::runtime::os) async fn dial(
    tcp: TcpStream,
    host: &str,
    settings: &ServerTrust,
    (timeout, end): (Duration, Instant),
) -> io::Result<Socket> {
    let config =
        config(settings).map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
    let name = ServerName::try_from(host.to_owned()).map_err(|_| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("{host} is no name for a certificate"))
    })?;
    match timeout_at(end, TlsConnector::from(config).connect(name, tcp)).await {
        Ok(Ok(stream)) => Ok(Socket::Dialled(Box::new(stream))),
        Ok(Err(error)) => Err(io::Error::new(error.kind(), in_words(&error))),
        Err(_) => {
            let why = format!("no TLS handshake in {} ms", timeout.as_millis());
            Err(io::Error::new(io::ErrorKind::TimedOut, why))
        }
    }
}

fn in_words(error: &io::Error) -> String {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match tls {
        Some(Error::InvalidMessage(_)) => format!(
            "{error}: the server does not speak TLS at this port (secureClientPort is the one that does)"
        ),
        Some(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => format!("{error} (ssl.hostnameVerification=false passes over that)"),
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            format!(
                "{error}: the certificate's authority is not in {}",
                Store::Trust.location_key()
            )
        }
        _ => format!("TLS: {error}"),
    }
}

fn config(settings: &ServerTrust) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(files::provider(&settings.cipher_suites));
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&files::versions(&settings.versions))
        .map_err(files::setup)?;
    let at = files::place(Store::Trust, &settings.trust_store);
    let listed = files::trusted(&at, &settings.trust_store, &files::read(&at)?)?;
    let mut roots = RootCertStore::empty();
    for (index, cert) in listed.iter().enumerate() {
        roots.add(cert.clone()).map_err(|error| at.certificate(index, error))?;
    }
    let chains =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let chains = chains.build().map_err(|error| TlsError::Setup { why: error.to_string() })?;
    let verifier = TrustedServers { chains, listed, verify_host: settings.verify_host };
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    let config = match &settings.key_store {
        None => builder.with_no_client_auth(),
        Some(store) => {
            let content = files::read(&files::place(Store::Key, store))?;
            let key = files::certified_key(store, &content, &provider)?;
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key)))
        }
    };
    Ok(Arc::new(config))
}

/// As in Java, a certificate that stands in the trust store itself is good as it is.
struct TrustedServers {
    chains: Arc<WebPkiServerVerifier>,
    listed: Vec<CertificateDer<'static>>,
    verify_host: bool,
}

impl fmt::Debug for TrustedServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustedServers").field("listed", &self.listed.len()).finish()
    }
}

impl ServerCertVerifier for TrustedServers {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.listed.iter().any(|listed| listed == end_entity) {
            if self.verify_host {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        // The name is looked at last: the chain is good if that is what is wrong.
        match self.chains.verify_server_cert(end_entity, intermediates, name, ocsp_response, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.verify_host => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

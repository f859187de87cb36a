//! Which certificates of clients are good.      (ZKTrustManager over Java's PKIX trust manager)
//!
//! A chain must end at a certificate of the trust store. As in Java, a client's certificate that
//! stands in the trust store itself is good as it is: small installations list each client's
//! self-signed certificate there.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};

use super::error::{StoreFile, TlsError};

struct TrustStore {
    /// Checks chains.
    chains: Arc<dyn ClientCertVerifier>,
    /// The trust store, as it is.
    listed: Vec<CertificateDer<'static>>,
}

/// `mandatory`: a client without a certificate is refused (`ssl.clientAuth=need`).
pub(super) fn verifier(
    at: &StoreFile,
    listed: Vec<CertificateDer<'static>>,
    mandatory: bool,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for (index, cert) in listed.iter().enumerate() {
        roots.add(cert.clone()).map_err(|error| at.certificate(index, error))?;
    }
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = if mandatory { builder } else { builder.allow_unauthenticated() };
    let chains = builder.build().map_err(|error| TlsError::Setup { why: error.to_string() })?;
    Ok(Arc::new(TrustStore { chains, listed }))
}

impl fmt::Debug for TrustStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustStore").field("listed", &self.listed.len()).finish()
    }
}

impl ClientCertVerifier for TrustStore {
    fn offer_client_auth(&self) -> bool {
        self.chains.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.chains.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chains.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.listed.iter().any(|listed| listed == end_entity) {
            return Ok(ClientCertVerified::assertion());
        }
        self.chains.verify_client_cert(end_entity, intermediates, now)
    }

    /// That the client holds the key of the certificate is checked in either case.
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

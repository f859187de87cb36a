//! Authorities, and the certificates that they sign.

use std::fs;
use std::path::{Path, PathBuf};

use quorate::config::{ClientAuth, ClientTls, StoreSettings, TlsVersion};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;

pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) pem: String,
    pub(crate) certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Identity {
    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.clone()).into()
    }

    /// A key and its certificate behind it.
    pub(crate) fn of_pem(pem: &str) -> Identity {
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).expect("a key");
        let key = key.secret_pkcs8_der().to_vec();
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
        Identity { pem: pem.into(), certificate, key }
    }

    fn new(certificate: &rcgen::Certificate, key: &KeyPair) -> Identity {
        Identity {
            pem: key.serialize_pem() + &certificate.pem(),
            certificate: certificate.der().clone(),
            key: key.serialize_der(),
        }
    }
}

/// `O=Acme, CN=name`, in this order.
fn params(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(hosts).expect("host names");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Acme");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

impl Authority {
    pub(crate) fn new(name: &str) -> Authority {
        let mut params = params(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let issuer = CertifiedIssuer::self_signed(params, new_key()).expect("a certificate");
        Authority { issuer }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// With these addresses and host names.
    pub(crate) fn sign(&self, name: &str, hosts: &[&str]) -> Identity {
        self.sign_params(&params(name, hosts))
    }

    /// A certificate that was good in the year 2000.
    pub(crate) fn sign_expired(&self, name: &str) -> Identity {
        let mut params = params(name, &[]);
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(2000, 12, 31);
        self.sign_params(&params)
    }

    fn sign_params(&self, params: &CertificateParams) -> Identity {
        let key = new_key();
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Identity::new(&certificate, &key)
    }
}

/// As `openssl req -x509` makes it: an authority of itself.
pub(crate) fn self_signed(name: &str) -> Identity {
    let mut params = params(name, &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = new_key();
    let certificate = params.self_signed(&key).expect("a certificate");
    Identity::new(&certificate, &key)
}

/// The files of one server: a key store for `localhost`, a trust store with one authority.
pub(crate) struct Files {
    dir: TempDir,
    pub(crate) authority: Authority,
}

impl Files {
    pub(crate) fn new() -> Files {
        let dir = tempfile::tempdir().expect("a directory for temporary files");
        let files = Files { dir, authority: Authority::new("authority") };
        files.write("k.pem", &files.authority.sign("server", &["localhost"]).pem);
        files.write("t.pem", &files.authority.pem());
        files
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        // At once, as whoever replaces such a file should do it.
        let new = self.path("new");
        fs::write(&new, content).expect("a writable directory");
        fs::rename(new, self.path(name)).expect("a writable directory");
    }

    pub(crate) fn settings(&self) -> ClientTls {
        ClientTls {
            listen: None,
            port_unification: false,
            key_store: StoreSettings::of(self.path("k.pem")),
            trust_store: Some(StoreSettings::of(self.path("t.pem"))),
            client_auth: ClientAuth::Need,
            verify_client_host: false,
            reload: false,
            versions: vec![TlsVersion::V1_2, TlsVersion::V1_3],
            cipher_suites: Vec::new(),
        }
    }

    /// Lines of a zoo.cfg.
    pub(crate) fn lines(&self) -> String {
        let line = |key: &str, path: &Path| format!("{key}={}\n", path.display());
        line("ssl.keyStore.location", &self.path("k.pem"))
            + &line("ssl.trustStore.location", &self.path("t.pem"))
    }
}

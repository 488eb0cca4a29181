//! Mutual TLS between nodes: a certificate is good if the directory lists it, and for nobody else's name.
//!
//! No certificate authority is needed: whoever signs the directory says whose certificate is whose, and revoking a node
//! takes its certificate with it. The certificate and its key are files; both are read again at a reload.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use arc_swap::ArcSwap;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
    client::{
        ResolvesClientCert,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    server::{
        ClientHello, ResolvesServerCert,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
    version::TLS13,
};

use super::{FederationError, Membership, Thumbprint};
use crate::{identifiers::NodeId, storage::write_whole};

static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));

/// The certificate of this node, with its key.
#[derive(Debug)]
pub struct Certificate {
    file: PathBuf,
    key_file: PathBuf,
    held: ArcSwap<Held>,
}

#[derive(Debug)]
struct Held {
    certified: Arc<CertifiedKey>,
    thumbprint: Thumbprint,
}

impl Certificate {
    /// Read the certificate (PEM), or make the first one. Its name is of no importance: it is known by its thumbprint.
    pub fn open(file: &Path, key_file: &Path, node: &NodeId) -> Result<Self, FederationError> {
        if !file.exists() && !key_file.exists() {
            make(file, key_file, node)?;
        }
        let held = ArcSwap::from_pointee(read(file, key_file)?);
        Ok(Self { file: file.to_owned(), key_file: key_file.to_owned(), held })
    }

    pub fn thumbprint(&self) -> Thumbprint {
        self.held.load().thumbprint
    }

    /// What the files hold now, without using it yet: the others must know it before it is shown.
    pub fn read_again(&self) -> Result<Self, FederationError> {
        let held = ArcSwap::from_pointee(read(&self.file, &self.key_file)?);
        Ok(Self { file: self.file.clone(), key_file: self.key_file.clone(), held })
    }

    /// Show the certificate of another reading of the same files from the next handshake on.
    pub fn take(&self, other: &Self) {
        self.held.store(other.held.load_full());
    }
}

fn make(file: &Path, key_file: &Path, node: &NodeId) -> Result<(), FederationError> {
    let failed = |error: rcgen::Error| FederationError::Certificate { reason: error.to_string() };
    let made = rcgen::generate_simple_self_signed([format!("{node}.node.invalid")]).map_err(failed)?;
    // Files that appear whole are made readable by their owner only.
    write_whole(key_file, made.signing_key.serialize_pem().as_bytes())?;
    write_whole(file, made.cert.pem().as_bytes())?;
    Ok(())
}

fn read(file: &Path, key_file: &Path) -> Result<Held, FederationError> {
    let wrong = |file: &Path, error: &dyn std::fmt::Display| FederationError::Certificate {
        reason: format!("`{}`: {error}", file.display()),
    };
    let chain: Vec<_> =
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect).map_err(|error| wrong(file, &error))?;
    let Some(leaf) = chain.first() else { return Err(wrong(file, &"there is no certificate in it")) };
    let thumbprint = Thumbprint::of(leaf);
    let key = PrivateKeyDer::from_pem_file(key_file).map_err(|error| wrong(key_file, &error))?;
    let certified = CertifiedKey::from_der(chain, key, &PROVIDER).map_err(|error| wrong(file, &error))?;
    Ok(Held { certified: Arc::new(certified), thumbprint })
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.held.load().certified))
    }
}

impl ResolvesClientCert for Certificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.held.load().certified))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// For the listener: anybody in the directory may connect.
pub fn server(certificate: &Arc<Certificate>, membership: &Arc<Membership>) -> Result<ServerConfig, FederationError> {
    let anyone = Arc::new(Listed { membership: Arc::clone(membership), only: None });
    let builder = ServerConfig::builder_with_provider(Arc::clone(&PROVIDER)).with_protocol_versions(&[&TLS13]);
    let mut config =
        builder.map_err(in_words)?.with_client_cert_verifier(anyone).with_cert_resolver(Arc::clone(certificate) as _);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// For a connection to one node: nobody else may answer.
pub(super) fn client(
    certificate: &Arc<Certificate>,
    membership: &Arc<Membership>,
    to: &NodeId,
) -> Result<ClientConfig, FederationError> {
    let only = Arc::new(Listed { membership: Arc::clone(membership), only: Some(to.clone()) });
    let builder = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER)).with_protocol_versions(&[&TLS13]);
    let builder = builder.map_err(in_words)?.dangerous().with_custom_certificate_verifier(only);
    Ok(builder.with_client_cert_resolver(Arc::clone(certificate) as _))
}

fn in_words(error: Error) -> FederationError {
    FederationError::Certificate { reason: error.to_string() }
}

/// Is a certificate in the directory, and that of the node that is meant?
#[derive(Debug)]
struct Listed {
    membership: Arc<Membership>,
    only: Option<NodeId>,
}

impl Listed {
    fn check(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let print = Thumbprint::of(certificate);
        let listed = match &self.only {
            Some(node) => self.membership.certificates(node).contains(&print),
            None => self.membership.is_listed(&print),
        };
        match listed {
            true => Ok(()),
            false => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        }
    }

    fn signed(
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &PROVIDER.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }
}

/// Only TLS 1.3 is spoken.
fn no_tls12() -> Error {
    Error::General("TLS 1.2 is not spoken between nodes".to_owned())
}

impl ServerCertVerifier for Listed {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(certificate).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::signed(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        PROVIDER.signature_verification_algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Listed {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(certificate).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::signed(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        PROVIDER.signature_verification_algorithms.supported_schemes()
    }
}

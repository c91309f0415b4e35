//! Hashing, sealing and signing. Everything random comes from the operating system through `aws-lc-rs`.

mod backup_code;
mod jwt;
mod opaque;
mod password;
mod qr;
mod seal;
mod totp;
mod user_code;

pub use backup_code::BackupCode;
pub use jwt::{
    ForeignKeys, Header, InvalidJwt, NoUsableKey, Proven, PublicKey, SigningKey, unverified_claims, unverified_header,
    verify_proof,
};
pub use opaque::{Opaque, digest, digest512, random};
pub use password::{
    ForeignHash, Password, PasswordError, PasswordFault, PasswordPolicy, Passwords, PoolSettings, Verified,
    import_password_hash,
};
pub use qr::qr_svg;
pub use seal::{SealBroken, Sealer};
pub use totp::TotpSecret;
pub use user_code::UserCode;

/// A cryptographic operation failed for a reason that no input causes.
#[derive(Debug, thiserror::Error)]
#[error("a cryptographic operation failed: {0}")]
pub struct CryptoError(pub(crate) &'static str);

/// Chooses the one implementation of TLS and JWT cryptography. Called first thing by `main` and by tests.
pub fn install() {
    // A second call finds the first one's choice in place, which is the same.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

//! The proof behind a key: a keyed BLAKE3 digest of its password, and what the provider gets instead of the password.
//!
//! The password is 256 random bits, so a fast keyed digest is right and a slow hash or a salt would buy nothing (ASVS 6.5.2;
//! `docs/key-format.md`). The database holds the digest alone, the digest secret only sealed: neither forges a key.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::client_secret::{self, UnverifiedSecret};
use super::id::{self, ApplicationId};
use super::plaintext_key::{PASSWORD_LENGTH, USER_NAME_LENGTH, UserName};
use super::secret::SecretText;

/// Bytes of a digest.
pub const DIGEST_LENGTH: usize = 32;
const DIGEST_DOMAIN: &[u8; 20] = b"kagiya digest v1    ";
const CLIENT_DOMAIN: &[u8; 20] = b"kagiya client v1    ";
const PROVIDER_DOMAIN: &[u8; 20] = b"kagiya provider v1  ";

/// What is stored of a password. Compared in constant time only.
#[derive(Clone, Copy)]
pub struct PasswordDigest([u8; DIGEST_LENGTH]);

impl PasswordDigest {
    /// A digest as stored.
    pub fn new(bytes: [u8; DIGEST_LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8; DIGEST_LENGTH] {
        &self.0
    }

    /// Whether both are the same, in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for PasswordDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordDigest")
    }
}

/// The secret of password digests.
pub struct DigestSecret(Zeroizing<[u8; 32]>);

impl DigestSecret {
    /// Takes a 256-bit secret.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// The digest of a password under its user name, so that no digest can be moved to another row.
    pub fn digest(&self, user_name: &UserName, password: &[u8]) -> PasswordDigest {
        PasswordDigest(keyed(&self.0, DIGEST_DOMAIN, user_name, password))
    }

    /// The digest of a client secret under its application, likewise.
    pub fn client_digest(
        &self,
        application: &ApplicationId,
        secret: UnverifiedSecret<'_>,
    ) -> PasswordDigest {
        let mut input = Zeroizing::new([0u8; 20 + id::LENGTH + client_secret::LENGTH]);
        input[..20].copy_from_slice(CLIENT_DOMAIN);
        input[20..20 + id::LENGTH].copy_from_slice(application.as_str().as_bytes());
        input[20 + id::LENGTH..].copy_from_slice(secret.bytes());
        PasswordDigest(*blake3::keyed_hash(&self.0, &*input).as_bytes())
    }
}

impl fmt::Debug for DigestSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestSecret")
    }
}

/// The secret that turns a key's password into the password of its user at an identity provider.
///
/// The provider, and whoever reads its database, learns a password that opens nothing here; the key alone signs in nowhere but here.
pub struct ProviderSecret(Zeroizing<[u8; 32]>);

impl ProviderSecret {
    /// Takes a 256-bit secret.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// The password at the provider: 43 characters of base64url.
    pub fn password(&self, user_name: &UserName, password: &[u8]) -> SecretText {
        let derived = Zeroizing::new(keyed(&self.0, PROVIDER_DOMAIN, user_name, password));
        SecretText::new(URL_SAFE_NO_PAD.encode(*derived))
    }
}

impl fmt::Debug for ProviderSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProviderSecret")
    }
}

fn keyed(secret: &[u8; 32], domain: &[u8; 20], user_name: &UserName, password: &[u8]) -> [u8; 32] {
    debug_assert_eq!(
        password.len(),
        PASSWORD_LENGTH,
        "every field has one length, so no two inputs run together"
    );
    let mut input = Zeroizing::new([0u8; 20 + USER_NAME_LENGTH + PASSWORD_LENGTH]);
    input[..20].copy_from_slice(domain);
    input[20..20 + USER_NAME_LENGTH].copy_from_slice(user_name.as_bytes());
    input[20 + USER_NAME_LENGTH..].copy_from_slice(password);
    *blake3::keyed_hash(secret, &*input).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER_NAME: &str = "abcdefghijklmnopqrstuvwxyz";
    const PASSWORD: &[u8; 43] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg";
    const SECRET: [u8; 32] = *b"fedcba9876543210fedcba9876543210";

    #[test]
    fn the_known_answers_stay_as_they_are() {
        let name = UserName::parse(USER_NAME).unwrap();
        let digest = DigestSecret::new(SECRET).digest(&name, PASSWORD);
        let hex: String = digest
            .as_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(hex, KNOWN_DIGEST);
        let provider = ProviderSecret::new(SECRET).password(&name, PASSWORD);
        assert_eq!(provider.expose(), KNOWN_PROVIDER_PASSWORD);
    }

    const KNOWN_DIGEST: &str = "6146aad96508e4de5c724268e9c324514c899f2c9696837986ece8fa29b1d565";
    const KNOWN_PROVIDER_PASSWORD: &str = "kDwMpKosYuUpDlEbjfVj7vIcmnBe42WDDUX-pxSiJWs";

    #[test]
    fn a_client_digest_belongs_to_one_application() {
        let secret = DigestSecret::new(SECRET);
        let text = "kgs_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg";
        let presented = UnverifiedSecret::parse(text).unwrap();
        let digest = |letter: &str| {
            let application = format!("app_{}", letter.repeat(26)).parse().unwrap();
            secret.client_digest(&application, presented)
        };
        assert!(!digest("a").matches(&digest("b")));
        let hex: String = digest("a")
            .as_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(hex, KNOWN_CLIENT_DIGEST);
    }

    const KNOWN_CLIENT_DIGEST: &str =
        "c0ab541ad509951eef9443dafb04f0824591a9d5944e6d40e2d5fe3d2172eab3";

    #[test]
    fn a_digest_belongs_to_one_user_name() {
        let secret = DigestSecret::new(SECRET);
        let other = UserName::parse("bbcdefghijklmnopqrstuvwxyz").unwrap();
        let digest = secret.digest(&UserName::parse(USER_NAME).unwrap(), PASSWORD);
        assert!(!digest.matches(&secret.digest(&other, PASSWORD)));
    }
}

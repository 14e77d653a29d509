//! The key in the desktop's keyring.
//!
//! It takes eighty crates to talk to it, so it is built only with the feature `keyring`, and only where there is one.

use super::{KEY_LENGTH, StoreError};
use crate::secret::Secret;

/// The key that lies in the keyring under `entry`; with `create`, a random one if there is none.
#[cfg(all(feature = "keyring", target_os = "linux"))]
pub(super) fn key(entry: &str, create: bool) -> Result<Secret<[u8; KEY_LENGTH]>, StoreError> {
    use base64ct::{Base64, Encoding as _};
    use keyring_core::Error;
    use keyring_core::api::CredentialStoreApi as _;
    use zbus_secret_service_keyring_store::Store;
    use zeroize::Zeroizing;

    let found = Store::new().and_then(|store| store.build("sessile", entry, None));
    let found = found.map_err(|error| unreachable(&error.to_string()))?;
    if create && matches!(found.get_password(), Err(Error::NoEntry)) {
        let random = Zeroizing::new(super::seal::random_bytes::<KEY_LENGTH>()?);
        let text = Zeroizing::new(Base64::encode_string(random.as_slice()));
        found
            .set_password(&text)
            .map_err(|error| unreachable(&error.to_string()))?;
    }
    // Read back even after writing: another process may have put its own there.
    match found.get_password().map(Zeroizing::new) {
        Ok(text) => super::key::key_from_text(&text, &format!("the keyring's entry `{entry}`")),
        Err(Error::NoEntry) => Err(StoreError::NoKey {
            detail: format!("the keyring has no entry `{entry}` of sessile"),
        }),
        Err(error) => Err(unreachable(&error.to_string())),
    }
}

/// Says that there is no keyring in this build.
#[cfg(not(all(feature = "keyring", target_os = "linux")))]
pub(super) fn key(_entry: &str, _create: bool) -> Result<Secret<[u8; KEY_LENGTH]>, StoreError> {
    Err(unreachable("this build has no support for it"))
}

fn unreachable(reason: &str) -> StoreError {
    StoreError::NoKey {
        detail: format!(
            "the keyring does not answer ({reason}): name a key file, give the key in the environment, or use a \
             passphrase"
        ),
    }
}

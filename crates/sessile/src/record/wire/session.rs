//! What a session sends beside its cookies, as bytes.

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::text;
use crate::session::{Authorization, OriginStorage};

#[derive(Deserialize, Serialize, Zeroize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum WireAuthorization {
    Basic { user: String, password: String },
    Bearer { token: String },
    Digest { user: String, password: String },
    Header { value: String },
    Named { name: String, value: String },
}

#[derive(Deserialize, Serialize)]
pub(super) struct WireStorage {
    origin: String,
    pub(super) items: Vec<(String, String)>,
}

impl From<&Authorization> for WireAuthorization {
    fn from(authorization: &Authorization) -> Self {
        match authorization {
            Authorization::Basic { user, password } => Self::Basic {
                user: user.clone(),
                password: text(password),
            },
            Authorization::Bearer(token) => Self::Bearer { token: text(token) },
            Authorization::Digest { user, password } => Self::Digest {
                user: user.clone(),
                password: text(password),
            },
            Authorization::Header(value) => Self::Header { value: text(value) },
            Authorization::Named { name, value } => Self::Named {
                name: name.clone(),
                value: text(value),
            },
        }
    }
}

impl From<&WireAuthorization> for Authorization {
    fn from(wire: &WireAuthorization) -> Self {
        match wire {
            WireAuthorization::Basic { user, password } => Self::Basic {
                user: user.clone(),
                password: password.clone().into(),
            },
            WireAuthorization::Bearer { token } => Self::Bearer(token.clone().into()),
            WireAuthorization::Digest { user, password } => Self::Digest {
                user: user.clone(),
                password: password.clone().into(),
            },
            WireAuthorization::Header { value } => Self::Header(value.clone().into()),
            WireAuthorization::Named { name, value } => Self::Named {
                name: name.clone(),
                value: value.clone().into(),
            },
        }
    }
}

impl From<&OriginStorage> for WireStorage {
    fn from(storage: &OriginStorage) -> Self {
        let items = storage.items.iter();
        Self {
            origin: storage.origin.clone(),
            items: items
                .map(|(name, value)| (name.clone(), text(value)))
                .collect(),
        }
    }
}

impl From<&WireStorage> for OriginStorage {
    fn from(wire: &WireStorage) -> Self {
        let items = wire.items.iter();
        let items = items.map(|(name, value)| (name.clone(), value.clone().into()));
        Self::new(wire.origin.clone(), items.collect())
    }
}

impl Drop for WireAuthorization {
    fn drop(&mut self) {
        self.zeroize();
    }
}

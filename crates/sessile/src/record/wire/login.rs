//! A login and its refusal, as bytes.

use serde::{Deserialize, Serialize};
use sessile_jar::Timestamp;
use zeroize::Zeroizing;

use super::{WireError, bad, parse_url, sites, text};
use crate::login::{BrowserPlace, Credentials, FormPlace, How, OtpSecret};
use crate::record::{KeptLogin, KeptRefusal};
use crate::secret::Secret;

#[derive(Deserialize, Serialize)]
pub(super) struct WireLogin {
    #[serde(default)]
    way: WireWay,
    /// Where it starts.
    url: String,
    /// Which form of the page.
    form: Option<String>,
    /// The site file and what it was called, where there was one.
    site: Option<(String, String)>,
    user: String,
    pub(super) password: Option<String>,
    /// What codes are made from, as an `otpauth:` address.
    pub(super) otp: Option<String>,
    #[serde(default)]
    trusts_device: bool,
    /// The first records had none: then the login's own page is where a password was sent.
    sent_to: Option<Vec<String>>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum WireWay {
    Browser,
    #[default]
    Form,
    Site,
}

#[derive(Deserialize, Serialize)]
pub(super) struct WireRefusal {
    at: i64,
    message: String,
    again: Option<i64>,
}

impl From<&KeptLogin> for WireLogin {
    fn from(login: &KeptLogin) -> Self {
        let (way, form, site) = match &login.how {
            How::Browser(_) => (WireWay::Browser, None, None),
            How::Form(place) => (WireWay::Form, place.form.clone(), None),
            How::Site(site) => {
                let site = (site.name.clone(), site.source.clone());
                (WireWay::Site, None, Some(site))
            }
        };
        let credentials = &login.credentials;
        let trusts_device = match &login.how {
            How::Form(place) => place.trusts_device,
            How::Browser(_) | How::Site(_) => false,
        };
        Self {
            way,
            url: login.how.start().to_string(),
            form,
            site,
            user: credentials.user.clone(),
            password: credentials.password.as_ref().map(text),
            otp: credentials.otp.as_ref().map(|otp| text(&otp.to_address())),
            trusts_device,
            sent_to: Some(login.sent_to.clone()),
        }
    }
}

impl TryFrom<WireLogin> for KeptLogin {
    type Error = WireError;

    fn try_from(wire: WireLogin) -> Result<Self, WireError> {
        let otp = wire.otp.map(Zeroizing::new);
        let otp = otp.map(|address| OtpSecret::parse(&address));
        let url = parse_url(&wire.url, "login URL")?;
        let origin = vec![url.origin().ascii_serialization()];
        let how = match (wire.way, &wire.site) {
            (_, Some((name, source))) => How::Site(sites::read(name, source)?),
            (WireWay::Site, None) => return Err(bad("site file")),
            (WireWay::Browser, None) => How::Browser(BrowserPlace::new(url)),
            (WireWay::Form, None) => {
                let mut place = FormPlace::new(url);
                place.form = wire.form;
                place.trusts_device = wire.trusts_device;
                How::Form(place)
            }
        };
        let credentials = Credentials {
            user: wire.user,
            password: wire.password.map(Secret::from),
            otp: otp
                .transpose()
                .map_err(|_unreadable| bad("second factor"))?,
        };
        Ok(Self {
            how,
            credentials,
            sent_to: wire.sent_to.unwrap_or(origin),
        })
    }
}

impl From<&KeptRefusal> for WireRefusal {
    fn from(refusal: &KeptRefusal) -> Self {
        Self {
            at: refusal.at.as_millis(),
            message: refusal.message.clone(),
            again: refusal.again.map(Timestamp::as_millis),
        }
    }
}

impl From<WireRefusal> for KeptRefusal {
    fn from(wire: WireRefusal) -> Self {
        Self {
            at: Timestamp::from_millis(wire.at),
            message: wire.message,
            again: wire.again.map(Timestamp::from_millis),
        }
    }
}

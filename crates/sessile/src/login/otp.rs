//! One-time codes by the clock (RFC 6238) from a secret that is kept.
//!
//! Which code is sent when is decided in `code`; no clock is read here.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::percent_decode_str;
use sessile_jar::Timestamp;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// The secret behind a second factor that shows codes: what a site gives as a QR code or as letters.
///
/// ```
/// use sessile::clock::Timestamp;
/// use sessile::login::OtpSecret;
///
/// let secret = OtpSecret::parse("GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ")?;
/// let step = secret.step(Timestamp::from_seconds(59));
/// assert_eq!(secret.code(step).expose(), "287082");
/// assert_eq!(format!("{secret:?}"), "OtpSecret(6 digits every 30 s)");
/// # Ok::<(), sessile::login::OtpError>(())
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct OtpSecret {
    key: Secret<Vec<u8>>,
    algorithm: Algorithm,
    digits: u8,
    period: u16,
}

/// Why a text is no secret of one-time codes. The text itself is never shown.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum OtpError {
    /// A letter that base32 doesn't have.
    #[error("character {0} of the secret is none of A to Z and 2 to 7")]
    BadLetter(usize),
    /// A parameter with a value that it can't have.
    #[error("its `{0}` is not {1}")]
    BadParameter(&'static str, &'static str),
    /// Codes that count uses.
    #[error(
        "it is a secret of codes that count their uses (hotp); only those by the clock (totp) can be kept"
    )]
    CountsUses,
    /// Letters are missing at the end.
    #[error("the secret is cut short: base32 doesn't end after so many letters")]
    CutShort,
    /// The address names no secret, or nothing is there at all.
    #[error("there is no secret in it")]
    NoSecret,
    /// An address of another kind.
    #[error("it is an address, but not an otpauth://totp/ one")]
    OtherAddress,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Algorithm {
    Sha1,
    Sha256,
    Sha512,
}

impl OtpSecret {
    /// Reads a secret as sites show it: base32, in groups or not, or an `otpauth://totp/` address.
    ///
    /// # Errors
    ///
    /// [`OtpError`] names the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, OtpError> {
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(Self {
                key: base32(text)?,
                algorithm: Algorithm::Sha1,
                digits: 6,
                period: 30,
            });
        };
        if !scheme.eq_ignore_ascii_case("otpauth") {
            return Err(OtpError::OtherAddress);
        }
        let (place, query) = rest.split_once('?').ok_or(OtpError::NoSecret)?;
        let kind = place.split('/').next().unwrap_or_default();
        match kind.to_ascii_lowercase().as_str() {
            "totp" => Self::from_query(query),
            "hotp" => Err(OtpError::CountsUses),
            _ => Err(OtpError::OtherAddress),
        }
    }

    /// The code of a step of time.
    pub fn code(&self, step: u64) -> Secret<String> {
        let mac = Zeroizing::new(self.mac(&step.to_be_bytes()));
        // RFC 4226, section 5.3: four bytes from where the last half-byte points, without the sign.
        let at = usize::from(mac.last().copied().unwrap_or(0) & 0xf);
        let four = mac.iter().skip(at).take(4);
        let number = four.fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
        let number = (number & 0x7fff_ffff) % 10_u32.pow(u32::from(self.digits));
        Secret::new(format!(
            "{number:0width$}",
            width = usize::from(self.digits)
        ))
    }

    /// The step of time that a moment lies in.
    pub fn step(&self, moment: Timestamp) -> u64 {
        let seconds = u64::try_from(moment.as_millis() / 1000).unwrap_or(0);
        seconds / u64::from(self.period)
    }

    /// When a step begins.
    pub fn start_of(&self, step: u64) -> Timestamp {
        let seconds = step.saturating_mul(u64::from(self.period));
        Timestamp::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
    }

    /// The secret as an address that [`OtpSecret::parse`] reads.
    pub(crate) fn to_address(&self) -> Secret<String> {
        let letters = Zeroizing::new(letters(self.key.expose()));
        let Self { digits, period, .. } = self;
        let algorithm = self.algorithm.name();
        Secret::new(format!(
            "otpauth://totp/?secret={}&algorithm={algorithm}&digits={digits}&period={period}",
            letters.as_str()
        ))
    }

    fn from_query(query: &str) -> Result<Self, OtpError> {
        let value = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let (_, value) = pairs.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
            let decoded = percent_decode_str(value).decode_utf8_lossy();
            Some(Zeroizing::new(decoded.into_owned()))
        };
        let number = |name| value(name).map(|text| text.parse::<u16>().unwrap_or(0));
        let algorithm = match value("algorithm") {
            None => Algorithm::Sha1,
            Some(name) => Algorithm::named(&name).ok_or(OtpError::BadParameter(
                "algorithm",
                "SHA1, SHA256 or SHA512",
            ))?,
        };
        let digits = match number("digits") {
            None => 6,
            Some(digits @ 6..=8) => u8::try_from(digits).unwrap_or(6),
            Some(_) => return Err(OtpError::BadParameter("digits", "6, 7 or 8")),
        };
        let period = match number("period") {
            None => 30,
            Some(period @ 1..=3600) => period,
            Some(_) => return Err(OtpError::BadParameter("period", "1 to 3600 seconds")),
        };
        Ok(Self {
            key: base32(&value("secret").ok_or(OtpError::NoSecret)?)?,
            algorithm,
            digits,
            period,
        })
    }

    fn mac(&self, message: &[u8]) -> Vec<u8> {
        let key = self.key.expose();
        match self.algorithm {
            Algorithm::Sha1 => {
                let mac = Hmac::<Sha1>::new_from_slice(key).expect("HMAC takes keys of any length");
                mac.chain_update(message).finalize().into_bytes().to_vec()
            }
            Algorithm::Sha256 => {
                let mac =
                    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
                mac.chain_update(message).finalize().into_bytes().to_vec()
            }
            Algorithm::Sha512 => {
                let mac =
                    Hmac::<Sha512>::new_from_slice(key).expect("HMAC takes keys of any length");
                mac.chain_update(message).finalize().into_bytes().to_vec()
            }
        }
    }
}

impl fmt::Debug for OtpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { digits, period, .. } = self;
        write!(f, "OtpSecret({digits} digits every {period} s)")
    }
}

impl Algorithm {
    fn named(name: &str) -> Option<Self> {
        let plain = name.to_ascii_uppercase().replace('-', "");
        match plain.as_str() {
            "SHA1" | "HMACSHA1" => Some(Self::Sha1),
            "SHA256" | "HMACSHA256" => Some(Self::Sha256),
            "SHA512" | "HMACSHA512" => Some(Self::Sha512),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }
}

/// Base32 (RFC 4648, section 6) as people copy it: small letters, groups and missing padding too.
fn base32(text: &str) -> Result<Secret<Vec<u8>>, OtpError> {
    // Grown in place: a buffer that moves would leave copies behind.
    let mut key = Zeroizing::new(Vec::with_capacity(text.len() * 5 / 8 + 1));
    let (mut bits, mut held, mut count) = (0_u32, 0_u32, 0_usize);
    for (at, letter) in text.trim_end_matches('=').chars().enumerate() {
        let value = match letter {
            ' ' | '-' => continue,
            'A'..='Z' => u32::from(letter) - u32::from('A'),
            'a'..='z' => u32::from(letter) - u32::from('a'),
            '2'..='7' => u32::from(letter) - u32::from('2') + 26,
            _ => return Err(OtpError::BadLetter(at + 1)),
        };
        count += 1;
        (bits, held) = ((bits << 5 | value) & 0xfff, held + 5);
        if held >= 8 {
            held -= 8;
            key.push(u8::try_from((bits >> held) & 0xff).unwrap_or_default());
        }
    }
    match (count, count % 8) {
        (0, _) => Err(OtpError::NoSecret),
        (_, 1 | 3 | 6) => Err(OtpError::CutShort),
        _ => Ok(Secret::new(std::mem::take(&mut *key))),
    }
}

fn letters(key: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::with_capacity(key.len() * 8 / 5 + 1);
    for five in key.chunks(5) {
        let mut padded = [0_u8; 8];
        padded[3..3 + five.len()].copy_from_slice(five);
        let number = u64::from_be_bytes(padded);
        for at in 0..(five.len() * 8).div_ceil(5) {
            let index = (number >> (35 - 5 * at)) & 0x1f;
            let letter = ALPHABET[usize::try_from(index).unwrap_or_default()];
            text.push(char::from(letter));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B: keys of 20, 32 and 64 bytes, eight digits.
    #[test]
    fn the_codes_are_those_of_the_rfc() {
        for (time, sha1, sha256, sha512) in [
            (59, "94287082", "46119246", "90693936"),
            (1_111_111_109, "07081804", "68084774", "25091201"),
            (1_111_111_111, "14050471", "67062674", "99943326"),
            (1_234_567_890, "89005924", "91819424", "93441116"),
            (2_000_000_000, "69279037", "90698825", "38618901"),
            (20_000_000_000, "65353130", "77737706", "47863826"),
        ] {
            check("SHA1", 20, time, sha1);
            check("SHA256", 32, time, sha256);
            check("SHA512", 64, time, sha512);
        }
    }

    #[track_caller]
    fn check(algorithm: &str, length: usize, time: i64, expected: &str) {
        let key: Vec<u8> = b"1234567890".iter().copied().cycle().take(length).collect();
        let secret = letters(&key);
        let uri = format!("otpauth://totp/x:y?secret={secret}&algorithm={algorithm}&digits=8");
        let secret = OtpSecret::parse(&uri).unwrap();
        let step = secret.step(Timestamp::from_seconds(time));
        assert_eq!(secret.code(step).expose(), expected, "{algorithm} {time}");
        let again = OtpSecret::parse(secret.to_address().expose()).unwrap();
        assert!(again == secret, "{algorithm}: its own address");
    }

    #[test]
    fn secrets_are_read_as_people_copy_them() {
        let plain = OtpSecret::parse("JBSWY3DPEHPK3PXP").unwrap();
        for text in [
            "jbsw y3dp ehpk 3pxp\n",
            "JBSW-Y3DP-EHPK-3PXP",
            "otpauth://totp/Shop:ada@a.test?secret=JBSWY3DPEHPK3PXP&issuer=Shop",
            "OTPAUTH://TOTP/ada?issuer=a%20b&Secret=jbsw%20y3dpehpk3pxp%3D%3D&period=30&digits=6",
        ] {
            assert!(OtpSecret::parse(text).unwrap() == plain, "{text}");
        }
        let minute = OtpSecret::parse("otpauth://totp/?secret=MZXW6&period=60").unwrap();
        assert_eq!(minute.step(Timestamp::from_seconds(119)), 1);
        assert_eq!(minute.start_of(1), Timestamp::from_seconds(60));
    }

    #[test]
    fn what_is_no_secret_is_refused_by_name() {
        for (text, expected) in [
            ("", OtpError::NoSecret),
            ("====", OtpError::NoSecret),
            ("JBSWY3D1", OtpError::BadLetter(8)),
            ("JBSWY3DPA", OtpError::CutShort),
            ("https://a.test/", OtpError::OtherAddress),
            ("otpauth://totp/ada", OtpError::NoSecret),
            ("otpauth://totp/ada?issuer=a", OtpError::NoSecret),
            ("otpauth://hotp/ada?secret=MZXW6", OtpError::CountsUses),
            ("otpauth-migration://offline?data=x", OtpError::OtherAddress),
            (
                "otpauth://totp/?secret=MZXW6&digits=9",
                OtpError::BadParameter("digits", "6, 7 or 8"),
            ),
            (
                "otpauth://totp/?secret=MZXW6&period=0",
                OtpError::BadParameter("period", "1 to 3600 seconds"),
            ),
            (
                "otpauth://totp/?secret=MZXW6&algorithm=MD5",
                OtpError::BadParameter("algorithm", "SHA1, SHA256 or SHA512"),
            ),
        ] {
            assert_eq!(OtpSecret::parse(text).err(), Some(expected), "{text}");
        }
    }

    #[test]
    fn nothing_of_the_secret_is_shown() {
        let secret = OtpSecret::parse("JBSWY3DPEHPK3PXP").unwrap();
        let shown = format!("{secret:?} {:?}", secret.to_address());
        assert!(!shown.contains("JBSW"), "{shown}");
    }
}

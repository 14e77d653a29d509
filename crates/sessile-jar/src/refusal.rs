//! Why a cookie is not stored: one name a rule.

use std::fmt;

/// The rule by which a cookie was not stored.
///
/// ```
/// use sessile_jar::Refusal;
///
/// assert_eq!(Refusal::PublicSuffix.section(), "5.7 step 9");
/// assert_eq!(Refusal::PublicSuffix.to_string(), "the domain is a public suffix");
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Refusal {
    /// A control character other than TAB is in it.
    ControlCharacter,
    /// By hand only: the name or value would be read back as something else.
    Delimiter,
    /// By hand only: the domain is no canonical host.
    Domain,
    /// The request's host does not belong to the `Domain`.
    DomainMismatch,
    /// The `Domain` has a byte outside ASCII.
    DomainNotAscii,
    /// Name and value are both empty.
    Empty,
    /// `__Host-Http-` without `Secure`, without `HttpOnly`, with a `Domain` or not for `/`.
    HostHttpPrefix,
    /// `__Host-` without `Secure`, with a `Domain` or not for `/`.
    HostPrefix,
    /// `HttpOnly`, but set by a script.
    HttpOnlyByScript,
    /// `__Http-` without `Secure` or `HttpOnly`.
    HttpPrefix,
    /// No name, and a value that reads like a name with a prefix.
    NamelessPrefix,
    /// A script's cookie in the place of one it may not see.
    OverwriteHttpOnly,
    /// A cookie from a plain connection that would hide or stand before a `Secure` one.
    OverwriteSecure,
    /// `Partitioned` without `Secure`.
    PartitionedInsecure,
    /// By hand only: the path does not start with `/`.
    Path,
    /// The domain is a public suffix.
    PublicSuffix,
    /// Not `SameSite=None`, but from a request of another site.
    SameSite,
    /// `SameSite=None` without `Secure`.
    SameSiteNoneInsecure,
    /// `Secure`, but from a plain connection.
    SecureByPlain,
    /// `__Secure-` without `Secure`.
    SecurePrefix,
    /// Name and value have more than 4,096 bytes.
    TooLong,
}

impl Refusal {
    /// The place of the rule, in RFC 6265bis (draft 22) unless it says otherwise.
    pub fn section(self) -> &'static str {
        match self {
            Self::ControlCharacter => "5.6 step 1",
            Self::Delimiter => "5.6 step 3 (by hand)",
            Self::Domain => "5.1.2",
            Self::DomainMismatch => "5.7 step 10",
            Self::DomainNotAscii => "5.7 step 8",
            Self::Empty => "5.7 step 2",
            Self::HostHttpPrefix | Self::HttpPrefix => "layered cookies, store a cookie",
            Self::HostPrefix => "5.7 step 21",
            Self::HttpOnlyByScript => "5.7 step 15",
            Self::NamelessPrefix => "5.7 step 22",
            Self::OverwriteHttpOnly => "5.7 step 23.2",
            Self::OverwriteSecure => "5.7 step 16",
            Self::PartitionedInsecure => "CHIPS",
            Self::Path => "5.1.4",
            Self::PublicSuffix => "5.7 step 9",
            Self::SameSite => "5.7 step 18",
            Self::SameSiteNoneInsecure => "5.7 step 19",
            Self::SecureByPlain => "5.7 step 13",
            Self::SecurePrefix => "5.7 step 20",
            Self::TooLong => "5.6 step 5",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::ControlCharacter => "a control character is in it",
            Self::Delimiter => "the name or value would be read back as something else",
            Self::Domain => "the domain is not a canonical host",
            Self::DomainMismatch => "the host does not belong to the domain",
            Self::DomainNotAscii => "the domain has a byte outside ascii",
            Self::Empty => "name and value are both empty",
            Self::HostHttpPrefix => {
                "a name with `__Host-Http-` needs Secure, HttpOnly, Path=/ and no Domain"
            }
            Self::HostPrefix => "a name with `__Host-` needs Secure, Path=/ and no Domain",
            Self::HttpOnlyByScript => "a script can't set an HttpOnly cookie",
            Self::HttpPrefix => "a name with `__Http-` needs Secure and HttpOnly",
            Self::NamelessPrefix => "without a name, the value can't begin like a prefixed name",
            Self::OverwriteHttpOnly => "a script can't replace an HttpOnly cookie",
            Self::OverwriteSecure => "a plain connection can't overlay a Secure cookie",
            Self::PartitionedInsecure => "Partitioned needs Secure",
            Self::Path => "the path does not start with a slash",
            Self::PublicSuffix => "the domain is a public suffix",
            Self::SameSite => "a request from another site can only set SameSite=None",
            Self::SameSiteNoneInsecure => "SameSite=None needs Secure",
            Self::SecureByPlain => "a plain connection can't set a Secure cookie",
            Self::SecurePrefix => "a name with `__Secure-` needs Secure",
            Self::TooLong => "name and value have more than 4096 bytes",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

impl std::error::Error for Refusal {}

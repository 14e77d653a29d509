//! Why a stored cookie is not sent: one name a rule.

/// The rule by which a stored cookie is not sent.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Omission {
    /// The host neither is the cookie's domain nor lies below it.
    DomainMismatch,
    /// Its time is over.
    Expired,
    /// The cookie is for its own host alone.
    HostOnly,
    /// The cookie is hidden from scripts.
    HttpOnly,
    /// It was set under another top-level site.
    Partition,
    /// The path is not the cookie's and not below it.
    PathMismatch,
    /// The cookie's domain is a public suffix by now.
    PublicSuffix,
    /// From another site, `SameSite=Lax` (or none said) asks for a navigation by a safe method.
    SameSiteLax,
    /// From another site, `SameSite=Strict` is never sent.
    SameSiteStrict,
    /// The connection is plain and the cookie `Secure`.
    Secure,
}

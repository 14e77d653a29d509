//! Which addresses of a page or a playlist are fetched, and what is sent along.

use std::net::IpAddr;

use url::{Host, Url};

/// Why an address that `from` names isn't fetched; `None` where it is.
///
/// Bytes from outside name addresses: those of this machine and its network are for pages that are
/// there themselves.
pub(crate) fn refuse(url: &Url, from: &Url) -> Option<&'static str> {
    if !matches!(url.scheme(), "http" | "https") {
        return Some("only http and https are fetched");
    }
    let is_inside = is_inside(url) && !is_inside(from);
    is_inside.then_some("it is an address of this machine or its network")
}

/// As [`refuse`], where one page redirects to another: asked before anything is sent there.
pub(crate) fn refuse_redirect(from: &Url, to: &Url) -> Option<&'static str> {
    refuse(to, from)
}

fn is_inside(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => is_private(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => match address.to_ipv4_mapped() {
            Some(address) => is_private(IpAddr::V4(address)),
            None => is_private(IpAddr::V6(address)),
        },
        None => true,
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(own) => {
            own.is_loopback() || own.is_private() || own.is_link_local() || own.is_unspecified()
        }
        IpAddr::V6(own) => {
            own.is_loopback()
                || own.is_unspecified()
                || own.is_unique_local()
                || own.is_unicast_link_local()
        }
    }
}

/// The `Referer` of a request to `url` from a page: to another origin its origin alone.
pub(crate) fn referer(page: &Url, url: &Url) -> String {
    if page.origin() != url.origin() {
        return format!("{}/", page.origin().ascii_serialization());
    }
    let mut page = page.clone();
    page.set_fragment(None);
    // A URL with a host can have its user taken out.
    let _no_host = page.set_username("");
    let _no_host = page.set_password(None);
    page.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_for_pages_of_it() {
        check("http://b.test/k", "http://a.test/", true);
        for inside in [
            "http://127.0.0.1/k",
            "http://localhost:8080/",
            "http://x.localhost./",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://192.168.1.1/",
            "http://169.254.169.254/latest",
            "http://2130706433/",
            "ftp://a.test/",
        ] {
            check(inside, "https://a.test/", false);
        }
        check("http://127.0.0.1:9/k", "http://127.0.0.1:8/", true);
        check("http://192.168.1.1/", "http://localhost/", true);
    }

    #[track_caller]
    fn check(url: &str, from: &str, expected: bool) {
        let (url, from) = (url.parse().unwrap(), from.parse().unwrap());
        assert_eq!(refuse(&url, &from).is_none(), expected, "{url} from {from}");
    }

    #[test]
    fn another_origin_learns_no_page() {
        let page = "https://u:p@a.test/x?y=1#z".parse().unwrap();
        let to = |url: &str| referer(&page, &url.parse().unwrap());
        assert_eq!(to("https://a.test/v"), "https://a.test/x?y=1");
        assert_eq!(to("https://b.test/v"), "https://a.test/");
    }
}

//! Where a request comes from: a state change asked for by another site is refused, whatever cookie it carries.

use channel_plugin::Request;

use crate::base_url::BaseUrl;

/// Whether a request may change something.
///
/// Browsers say in `Sec-Fetch-Site` who asks; those that do not, or not on plain HTTP, name the site in
/// `Origin`. A client that sends neither is no browser, and no page can make it carry a cookie.
pub(crate) fn is_own(request: &Request, base_url: &BaseUrl) -> bool {
    match request.header("sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => match request.header("origin") {
            None => true,
            Some(origin) => {
                origin.eq_ignore_ascii_case(base_url.origin())
                    || authority(origin).is_some_and(|authority| {
                        request
                            .header("host")
                            .is_some_and(|host| host.eq_ignore_ascii_case(authority))
                    })
            }
        },
    }
}

fn authority(origin: &str) -> Option<&str> {
    origin
        .split_once("://")
        .map(|(_, authority)| authority)
        .filter(|authority| !authority.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::testing::FakeHost;

    fn allowed(headers: &[(&str, &str)]) -> bool {
        allowed_at("https://chat.example.com", headers)
    }

    fn allowed_at(base_url: &str, headers: &[(&str, &str)]) -> bool {
        let mut host = FakeHost::default();
        host.settings
            .insert("channels.friends.baseUrl".to_owned(), base_url.to_owned());
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect();
        let request = Request::new("POST".to_owned(), "/api/chat", headers, Vec::new(), String::new());
        Settings::read(&mut host).is_ok_and(|settings| is_own(&request, &settings.base_url))
    }

    #[test]
    fn own_pages_and_plain_clients_may() {
        assert!(allowed(&[]));
        assert!(allowed(&[
            ("sec-fetch-site", "same-origin"),
            ("origin", "https://chat.example.com")
        ]));
        assert!(allowed(&[
            ("origin", "https://chat.example.com"),
            ("host", "127.0.0.1:3001")
        ]));
        assert!(allowed(&[
            ("origin", "http://localhost:3001"),
            ("host", "localhost:3001")
        ]));
    }

    #[test]
    fn a_path_is_no_part_of_where_a_page_comes_from() {
        let base_url = "https://chat.example.com/anna";
        let elsewhere = ("host", "127.0.0.1:3001");
        assert!(allowed_at(
            base_url,
            &[("origin", "https://chat.example.com"), elsewhere]
        ));
        for origin in ["https://chat.example.com/anna", "https://evil.example"] {
            assert!(!allowed_at(base_url, &[("origin", origin), elsewhere]), "{origin}");
        }
    }

    #[test]
    fn other_sites_may_not() {
        for site in ["cross-site", "same-site", "none", "", "SAME-ORIGIN"] {
            assert!(
                !allowed(&[("sec-fetch-site", site), ("origin", "https://chat.example.com")]),
                "{site}"
            );
        }
        for origin in [
            "null",
            "https://evil.example",
            "https://chat.example.com.evil.example",
            "",
            "https://",
        ] {
            assert!(
                !allowed(&[("origin", origin), ("host", "chat.example.com")]),
                "{origin}"
            );
        }
        assert!(!allowed(&[("origin", "https://evil.example")]));
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod properties {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;

    use super::*;
    use crate::config::Settings;
    use crate::testing::FakeHost;

    fn base_url() -> BaseUrl {
        let mut host = FakeHost::default();
        let key = "channels.friends.baseUrl".to_owned();
        host.settings.insert(key, "https://chat.example.com".to_owned());
        Settings::read(&mut host).unwrap().base_url
    }

    proptest! {
        #[test]
        fn another_sites_page_may_never(
            site in "cross-site|same-site|none|[a-z-]{0,12}|\\PC{0,12}",
            origin in "(https?://)?[a-z.:0-9-]{0,20}|https://chat\\.example\\.com\\PC{1,9}|\\PC{0,20}|null",
            host in "chat\\.example\\.com|[a-z.:0-9]{0,20}",
        ) {
            let may = |headers: &[(&str, &str)]| {
                let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
                let headers = headers.iter().map(owned).collect();
                let request = Request::new("POST".to_owned(), "/api/chat", headers, Vec::new(), String::new());
                is_own(&request, &base_url())
            };
            // A browser that says where a request comes from is believed, whatever else it sends.
            let says = [("sec-fetch-site", site.as_str()), ("origin", &origin), ("host", &host)];
            prop_assert_eq!(may(&says), site.trim() == "same-origin");
            let authority = origin.trim().split_once("://").map_or("", |(_, authority)| authority);
            let is_own = origin.trim().eq_ignore_ascii_case("https://chat.example.com")
                || !authority.is_empty() && authority.eq_ignore_ascii_case(host.trim());
            prop_assert_eq!(may(&[("origin", &origin), ("host", &host)]), is_own);
        }
    }
}

//! Who opens an invite link: a person's browser or a plain client, or a program that only looks, such as a
//! messenger that makes a preview card. Only the first may spend the code.

use channel_plugin::Request;

/// Parts of user agents, in lower case, of the messengers, mail gateways and scanners that fetch links
/// which people send each other.
const PREVIEW_AGENTS: [&str; 33] = [
    "applebot",
    "barracuda",
    "bingbot",
    "bingpreview",
    "bitlybot",
    "bluesky",
    "bot.html",
    "cardyb",
    "discordbot",
    "embedly",
    "facebookcatalog",
    "facebookexternalhit",
    "facebot",
    "google-read-aloud",
    "google-safety",
    "googlebot",
    "googleimageproxy",
    "iframely",
    "linkedinbot",
    "mastodon",
    "meta-externalagent",
    "meta-externalfetcher",
    "microsoftpreview",
    "mimecast",
    "pinterestbot",
    "proofpoint",
    "redditbot",
    "skypeuripreview",
    "slackbot",
    "slack-imgproxy",
    "telegrambot",
    "twitterbot",
    "whatsapp",
];

/// Further parts by which a program says that it is one.
const PROGRAM_WORDS: [&str; 8] = [
    "bot/", "bot)", "crawler", "spider", "preview", "scanner", "unfurl", "viber",
];

/// Whether the request is a person's (or a plain client's) own visit.
pub(crate) fn is_visit(request: &Request) -> bool {
    request.method == "GET" && !is_prefetch(request) && wants_document(request) && !is_preview_agent(request)
}

fn is_prefetch(request: &Request) -> bool {
    ["sec-purpose", "purpose", "x-purpose", "x-moz"]
        .into_iter()
        .flat_map(|name| request.headers_named(name))
        .any(|value| {
            let value = value.to_ascii_lowercase();
            ["prefetch", "prerender", "preview"]
                .iter()
                .any(|word| value.contains(word))
        })
}

fn wants_document(request: &Request) -> bool {
    let is_document = request.header("sec-fetch-dest").is_none_or(|dest| dest == "document");
    let navigates = request.header("sec-fetch-mode").is_none_or(|mode| mode == "navigate");
    is_document && navigates
}

fn is_preview_agent(request: &Request) -> bool {
    request.headers_named("user-agent").any(|agent| {
        let agent = agent.to_ascii_lowercase();
        PREVIEW_AGENTS
            .iter()
            .chain(&PROGRAM_WORDS)
            .any(|part| agent.contains(part))
            || agent.ends_with("bot")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

    fn visits(method: &str, headers: &[(&str, &str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect();
        is_visit(&Request::new(
            method.to_owned(),
            "/chat?invite=x",
            headers,
            Vec::new(),
            String::new(),
        ))
    }

    #[test]
    fn people_and_plain_clients_visit() {
        for agent in [
            FIREFOX,
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36",
            "Mozilla/5.0 (Linux; Android 12; CUBOT P50) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Mobile Safari/537.36",
            "curl/8.14.1",
        ] {
            assert!(visits("GET", &[("user-agent", agent)]), "{agent}");
        }
        assert!(visits("GET", &[]));
        assert!(visits(
            "GET",
            &[("sec-fetch-dest", "document"), ("sec-fetch-mode", "navigate")]
        ));
    }

    #[test]
    fn fetchers_of_messengers_and_mail_do_not() {
        for agent in [
            "WhatsApp/2.23.20.0 A",
            "TelegramBot (like TwitterBot)",
            "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
            "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
            "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120 Safari/537.36 MicrosoftPreview/2.0",
            "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
            "Twitterbot/1.0",
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
            "http.rb/5.1.1 (Mastodon/4.2.0; +https://mastodon.social/)",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; BingPreview/1.0b)",
            "Viber/13.3.0",
            "SignalLinkPreviewBot",
        ] {
            assert!(!visits("GET", &[("user-agent", agent)]), "{agent}");
        }
    }

    #[test]
    fn neither_do_heads_prefetches_and_frames() {
        assert!(!visits("HEAD", &[("user-agent", FIREFOX)]));
        for (name, value) in [
            ("sec-purpose", "prefetch;prerender"),
            ("purpose", "prefetch"),
            ("x-purpose", "preview"),
            ("x-moz", "prefetch"),
            ("sec-fetch-dest", "iframe"),
            ("sec-fetch-dest", "image"),
            ("sec-fetch-dest", "empty"),
            ("sec-fetch-mode", "cors"),
        ] {
            assert!(
                !visits("GET", &[("user-agent", FIREFOX), (name, value)]),
                "{name}: {value}"
            );
        }
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod properties {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;

    use super::*;

    fn visits(method: &str, headers: Vec<(&str, Vec<u8>)>) -> bool {
        let headers = headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        is_visit(&Request::new(
            method.to_owned(),
            "/chat?invite=x",
            headers,
            Vec::new(),
            String::new(),
        ))
    }

    fn known_name() -> impl Strategy<Value = &'static str> {
        let names: Vec<_> = PREVIEW_AGENTS.iter().chain(&PROGRAM_WORDS).copied().collect();
        prop::sample::select(names)
    }

    proptest! {
        #[test]
        fn nothing_beside_a_known_name_makes_its_fetcher_a_visitor(
            before in "[ -~]{0,20}",
            name in known_name(),
            after in "[ -~]{0,20}",
            upper in any::<bool>(),
        ) {
            let name = if upper { name.to_ascii_uppercase() } else { name.to_owned() };
            let agent = format!("{before}{name}{after}").into_bytes();
            prop_assert!(!visits("GET", vec![("user-agent", agent)]));
        }

        #[test]
        fn only_a_get_visits_and_any_bytes_are_decided(
            method in "GET|HEAD|POST|[A-Z]{1,5}",
            values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 6),
        ) {
            let names = ["user-agent", "purpose", "sec-purpose", "x-moz", "sec-fetch-dest", "sec-fetch-mode"];
            let visits = visits(&method, names.into_iter().zip(values).collect());
            prop_assert!(!visits || method == "GET");
        }

        #[test]
        fn a_browsers_version_does_not_matter(version in "[0-9]{1,3}(\\.[0-9]{1,4}){0,3}") {
            let agent = format!("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/{version} Chrome/{version}");
            prop_assert!(visits("GET", vec![("user-agent", agent.into_bytes())]));
        }
    }
}

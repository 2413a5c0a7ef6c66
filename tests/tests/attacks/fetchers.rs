//! What opens links before people do: messengers that make previews, mail gateways, browsers that look ahead.

use friends_chat_tests::{Answer, Data, Friend, Harness, Incoming, Invite};

const FIREFOX: (&str, &str) = (
    "user-agent",
    "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0",
);
const CHROME: (&str, &str) = (
    "user-agent",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
);
const SAFARI: (&str, &str) = (
    "user-agent",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
);

/// Who fetches, and the headers that it sends.
type Fetcher = (&'static str, &'static [(&'static str, &'static str)]);

/// As they are seen in servers' logs.
const FETCHERS: [Fetcher; 21] = [
    (
        "WhatsApp",
        &[("user-agent", "WhatsApp/2.23.20.0 A"), ("accept-language", "en")],
    ),
    (
        "WhatsApp on the desktop",
        &[("user-agent", "WhatsApp/2.2413.51 W"), ("range", "bytes=0-524287")],
    ),
    (
        "Telegram",
        &[("user-agent", "TelegramBot (like TwitterBot)"), ("accept", "text/html")],
    ),
    (
        "Slack",
        &[
            (
                "user-agent",
                "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
            ),
            ("range", "bytes=0-32768"),
        ],
    ),
    (
        "Discord",
        &[(
            "user-agent",
            "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
        )],
    ),
    (
        "iMessage",
        &[
            (
                "user-agent",
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
            ),
            ("accept-language", "en-us"),
        ],
    ),
    ("Signal", &[("user-agent", "WhatsApp/2"), ("accept", "*/*")]),
    (
        "Teams and Skype",
        &[(
            "user-agent",
            "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com",
        )],
    ),
    (
        "Outlook",
        &[(
            "user-agent",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 MicrosoftPreview/2.0 +https://aka.ms/MicrosoftPreview",
        )],
    ),
    (
        "Messenger",
        &[
            (
                "user-agent",
                "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
            ),
            ("accept-encoding", "deflate, gzip"),
        ],
    ),
    (
        "Instagram and Threads",
        &[(
            "user-agent",
            "meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)",
        )],
    ),
    (
        "LinkedIn",
        &[(
            "user-agent",
            "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
        )],
    ),
    ("X", &[("user-agent", "Twitterbot/1.0")]),
    (
        "Viber",
        &[("user-agent", "Viber/13.3.0.4 CFNetwork/1220.1 Darwin/20.3.0")],
    ),
    (
        "Mastodon",
        &[(
            "user-agent",
            "http.rb/5.1.1 (Mastodon/4.2.0; +https://mastodon.social/) Bot",
        )],
    ),
    (
        "Google",
        &[(
            "user-agent",
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        )],
    ),
    (
        "Chrome, looking ahead",
        &[
            CHROME,
            ("sec-purpose", "prefetch;prerender"),
            ("purpose", "prefetch"),
            ("sec-fetch-dest", "document"),
            ("sec-fetch-mode", "navigate"),
        ],
    ),
    (
        "Firefox, looking ahead",
        &[FIREFOX, ("x-moz", "prefetch"), ("sec-fetch-dest", "empty")],
    ),
    ("Safari, showing its top sites", &[SAFARI, ("x-purpose", "preview")]),
    (
        "a page that embeds the link as a picture",
        &[
            CHROME,
            ("sec-fetch-dest", "image"),
            ("sec-fetch-mode", "no-cors"),
            ("sec-fetch-site", "cross-site"),
        ],
    ),
    (
        "a page that embeds the link as a frame",
        &[
            FIREFOX,
            ("sec-fetch-dest", "iframe"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-site", "cross-site"),
        ],
    ),
];

fn open(harness: &Harness, method: &str, invite: &Invite, headers: &[(&str, &str)]) -> Answer {
    let Incoming { status, headers, body } = Friend::stranger(harness).request(method, &invite.target(), headers, b"");
    if method == "HEAD" {
        // There is no body, whatever its length is said to be.
        return Answer {
            status,
            headers,
            body: Vec::new(),
        };
    }
    Answer::read(Incoming { status, headers, body })
}

#[test]
fn what_only_looks_gets_a_card_and_the_link_still_works() {
    let harness = Data::new().serve(&[]);
    let answer = harness
        .owner(&["invite", "john", "--nickname", "Secret John"])
        .success();
    let invite = Invite::parse(&answer);
    for (who, headers) in FETCHERS {
        let card = open(&harness, "GET", &invite, headers);
        assert_eq!((card.status, card.header("set-cookie")), (200, None), "{who}");
        for property in ["og:title", "og:description", "og:site_name"] {
            assert!(
                card.text()
                    .contains(&format!("<meta property=\"{property}\" content=\"")),
                "{who}: {property}"
            );
        }
        for secret in ["john", "John", &invite.code, &invite.code.replace('-', "")] {
            assert!(!card.text().contains(secret), "{who} is told {secret}");
        }
        assert_eq!(card.header("referrer-policy"), Some("no-referrer"), "{who}");
    }
    let head = open(&harness, "HEAD", &invite, &[CHROME]);
    assert_eq!((head.status, head.header("set-cookie")), (200, None));

    let joined = open(
        &harness,
        "GET",
        &invite,
        &[SAFARI, ("sec-fetch-dest", "document"), ("sec-fetch-mode", "navigate")],
    );
    assert_eq!(joined.status, 302);
}

#[test]
fn people_join_with_whatever_they_have() {
    let harness = Harness::start();
    let clients: [&[(&str, &str)]; 5] = [
        &[
            CHROME,
            ("sec-fetch-dest", "document"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-user", "?1"),
        ],
        &[
            FIREFOX,
            ("sec-fetch-dest", "document"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-site", "none"),
        ],
        &[SAFARI],
        &[("user-agent", "curl/8.14.1"), ("accept", "*/*")],
        &[],
    ];
    for (number, headers) in clients.into_iter().enumerate() {
        let invite = harness.invite(&format!("friend_{number}"));
        assert_eq!(open(&harness, "GET", &invite, headers).status, 302, "{headers:?}");
    }
}

#[test]
fn where_a_click_is_asked_for_not_even_a_whole_browser_joins_by_looking() {
    let harness = Data::new().with_config("channels.friends.join = 'click'").serve(&[]);
    let invite = harness.invite("john");
    for _ in 0..3 {
        let page = open(
            &harness,
            "GET",
            &invite,
            &[CHROME, ("sec-fetch-dest", "document"), ("sec-fetch-mode", "navigate")],
        );
        assert_eq!((page.status, page.header("set-cookie")), (200, None));
        assert_eq!(page.header("cache-control"), Some("no-store"));
    }
    let john = Friend::stranger(&harness);
    let body = serde_json::json!({ "code": invite.code });
    let answer = john.post("/api/auth/invite", &body).json();
    assert_eq!(answer["nickname"], "john");
    assert_eq!(john.post("/api/auth/redeem", &body).status, 200);
    let used = open(&harness, "GET", &invite, &[CHROME]);
    assert!(used.text().contains("not valid any more"));
}

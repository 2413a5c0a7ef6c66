//! A friend joins with a link or a code, once, and is known from then on. Observed by statuses, headers and bodies
//! of plain requests against the running harness.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::{COOKIE, Data, Friend, Harness, Invite, free_port};
use serde_json::json;

const ATTRIBUTES: &str = "; HttpOnly; SameSite=Lax; Path=/; Max-Age=31536000";

#[test]
fn a_link_signs_in_and_leads_to_the_page_without_the_code() {
    let harness = Harness::start();
    let invite = harness.invite("john");
    assert_eq!(
        invite.link,
        format!(
            "http://localhost:{}/chat?invite={}",
            harness.address().port(),
            invite.code
        )
    );

    let john = Friend::stranger(&harness);
    assert_eq!(john.status(), json!({ "authenticated": false, "agent": "the agent" }));
    let answer = john.get(&invite.target());
    assert_eq!(answer.status, 302);
    assert_eq!(answer.header("location"), Some("/chat"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let cookie = john.cookie().unwrap();
    assert_eq!(
        answer.header("set-cookie").unwrap(),
        format!("{COOKIE}={cookie}{ATTRIBUTES}")
    );

    let status = json!({ "authenticated": true, "username": "john", "nickname": "john", "agent": "the agent" });
    assert_eq!(john.status(), status);
    let page = john.get("/chat");
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    assert!(!page.text().contains(&invite.code));
}

#[test]
fn behind_https_the_cookie_is_for_https_only() {
    let harness = Harness::start_on(&Data::new(), free_port(), &["--base-url", "https://chat.example.org"]);
    let invite = harness.invite("john");
    assert_eq!(
        invite.link,
        format!("https://chat.example.org/chat?invite={}", invite.code)
    );
    let answer = Friend::stranger(&harness).get(&invite.target());
    assert!(
        answer
            .header("set-cookie")
            .unwrap()
            .ends_with(&format!("{ATTRIBUTES}; Secure"))
    );
}

#[test]
fn a_link_works_once() {
    let harness = Harness::start();
    let invite = harness.invite("john");
    let john = Friend::stranger(&harness);
    john.join(&invite);

    let thief = Friend::stranger(&harness);
    let unused = Invite {
        link: String::new(),
        code: "0000-0000-0000".to_owned(),
    };
    for bad in [&invite, &unused] {
        let page = thief.get(&bad.target());
        assert_eq!(
            (page.status, page.header("content-type")),
            (200, Some("text/html; charset=utf-8"))
        );
        assert!(
            page.text().contains("This invite link is not valid any more"),
            "the page says so"
        );
        assert_eq!(page.header("set-cookie"), None);
    }
    assert!(
        !thief.get("/chat").text().contains("not valid any more"),
        "only where there was a link"
    );
    assert_eq!(thief.status()["authenticated"], false);
    assert_eq!(john.status()["authenticated"], true);
}

#[test]
fn a_code_may_be_typed_carelessly() {
    let harness = Harness::start();
    let invite = harness.invite("john");
    let typed = format!(
        " {} ",
        invite
            .code
            .replace('-', "")
            .to_lowercase()
            .replace('1', "l")
            .replace('0', "o")
    );
    let john = Friend::stranger(&harness);
    let answer = john.post("/api/auth/redeem", &json!({ "code": typed }));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json(), john.status());
    assert!(answer.header("set-cookie").unwrap().ends_with(ATTRIBUTES));
}

#[test]
fn wrong_and_used_codes_are_refused_alike() {
    let harness = Harness::start();
    let used = harness.invite("john");
    Friend::stranger(&harness).join(&used);
    let stranger = Friend::stranger(&harness);
    for code in ["", "0000-0000-0000", "' OR 1=1 --", &used.code] {
        let answer = stranger.post("/api/auth/redeem", &json!({ "code": code }));
        assert_eq!(answer.status, 401, "{code}");
        assert_eq!(answer.text(), r#"{"error":"Invalid or expired invite code"}"#, "{code}");
        assert_eq!(answer.header("set-cookie"), None, "{code}");
    }
}

#[test]
fn the_first_friend_is_invited_on_the_first_start_only() {
    let data = Data::new();
    let harness = data.serve(&["--first-friend", "john"]);
    let said = harness.output().expect(&["Invite URL: "]);
    let john = Friend::stranger(&harness);
    let (_, code) = said.split_once("?invite=").unwrap();
    john.join(&Invite {
        link: said.clone(),
        code: code.to_owned(),
    });
    harness.stop();

    let harness = data.serve(&["--first-friend", "john"]);
    assert_eq!(john.at(&harness).status()["username"], "john");
    harness.signal(friends_chat_tests::Signal::TERM);
    assert!(!harness.wait().stdout.contains("Invite URL"));
}

#[test]
fn a_nickname_is_changed_and_shown() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let mut feed = john.feed();
    let answer = john.post("/api/nickname", &json!({ "nickname": "  Jöhn 🙂 " }));
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({ "ok": true, "nickname": "Jöhn 🙂" }))
    );
    assert_eq!(feed.until("nickname")["nickname"], "Jöhn 🙂");
    assert_eq!(john.status()["nickname"], "Jöhn 🙂");
}

#[test]
fn wrong_codes_are_soon_not_looked_at_and_then_a_right_one_is_not_spent() {
    let harness = Harness::start();
    let invite = harness.invite("john");
    let stranger = Friend::stranger(&harness);
    let try_code = |code: &str| stranger.post("/api/auth/redeem", &json!({ "code": code }));

    let refused = (0..20)
        .map(|_| try_code("0000-0000-0000"))
        .find(|answer| answer.status != 401);
    let refused = refused.expect("twenty guesses in a row were looked at");
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
    assert_eq!(try_code(&invite.code).status, 429);
    assert_eq!(stranger.get(&invite.target()).status, 429);
    assert_eq!(stranger.status()["authenticated"], false);

    // The owner's commands know no such limit, and what is remembered of guesses goes with the process.
    let harness = harness.stop().serve(&[]);
    stranger.at(&harness).join(&invite);
}

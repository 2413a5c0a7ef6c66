//! Signing in by link and by code, signing out, and who is kept out.

use super::*;

const PERSON: (&str, &str) = (
    "user-agent",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
);

#[test]
fn a_link_signs_in_once() {
    let mut scenario = Scenario::started("sign_link.db");
    let link = format!("/chat?invite={}", scenario.invite("john"));
    let mut john = Browser::default();
    let response = scenario.request(&mut john, "GET", &link, &[PERSON], b"");
    assert_eq!((response.status, header(&response, "location")), (302, Some("/chat")));
    let cookie = header(&response, "set-cookie").unwrap();
    assert!(cookie.starts_with("tc_friend_session=") && !cookie.contains("Secure"));
    assert!(cookie.ends_with("; HttpOnly; SameSite=Lax; Path=/; Max-Age=31536000"));
    let status = body(&scenario.get(&mut john, "/api/auth/status"));
    assert_eq!(
        status,
        json!({"authenticated": true, "username": "john", "nickname": "john", "agent": "the agent"})
    );

    let mut other = Browser::default();
    let response = scenario.request(&mut other, "GET", &link, &[PERSON], b"");
    assert_eq!(response.status, 200);
    assert!(other.cookie.is_none() && header(&response, "etag").is_none());
    assert!(String::from_utf8(response.body).unwrap().contains("not valid any more"));
    assert_eq!(
        body(&scenario.get(&mut other, "/api/auth/status")),
        json!({"authenticated": false, "agent": "the agent"})
    );
}

#[test]
fn below_a_path_everything_leads_back_there() {
    let mut scenario = Scenario::new("sign_path.db");
    scenario.host.settings.insert(
        "channels.friends.baseUrl".to_owned(),
        "https://chat.example.org/anna/".to_owned(),
    );
    scenario.plugin.start(&mut scenario.host).unwrap();
    let invited = scenario
        .tool("friends_chat_invite", json!({ "username": "john" }))
        .unwrap();
    let code = code_in(&invited);
    let address = "https://chat.example.org/anna/chat";
    assert!(invited.contains(&format!("{address}?invite={code}\n")), "{invited}");
    assert!(invited.contains(&format!("enter the code at {address}. ")), "{invited}");

    let attributes = "; HttpOnly; SameSite=Lax; Path=/anna; Max-Age=31536000; Secure";
    let mut john = Browser::default();
    let response = scenario.request(&mut john, "GET", &format!("/chat?invite={code}"), &[PERSON], b"");
    assert_eq!(
        (response.status, header(&response, "location")),
        (302, Some("/anna/chat"))
    );
    assert!(header(&response, "set-cookie").unwrap().ends_with(attributes));
    let response = scenario.get(&mut john, "/api/auth/status");
    assert!(header(&response, "set-cookie").unwrap().ends_with(attributes));

    let link = body(&scenario.post(&mut john, "/api/auth/link", json!({})));
    let code = link["code"].as_str().unwrap();
    assert_eq!(link["url"], format!("{address}?invite={code}"));
    let mut phone = Browser::default();
    let response = scenario.post(&mut phone, "/api/auth/redeem", json!({ "code": code }));
    assert!(header(&response, "set-cookie").unwrap().ends_with(attributes));
    let language = scenario.post(&mut phone.clone(), "/api/language", json!({ "language": "de" }));
    assert!(header(&language, "set-cookie").unwrap().ends_with(attributes));

    // A browser says where a page comes from without its path.
    let headers = [
        ("content-type", "application/json"),
        ("origin", "https://chat.example.org"),
    ];
    let response = scenario.request(&mut phone, "POST", "/api/auth/logout", &headers, b"{}");
    assert_eq!(response.status, 200);
    let cleared = "tc_friend_session=; HttpOnly; SameSite=Lax; Path=/anna; Max-Age=0; Secure";
    assert_eq!(header(&response, "set-cookie"), Some(cleared));
}

#[test]
fn no_file_of_the_page_names_anything_by_its_place_at_the_root() {
    let mut scenario = Scenario::started("sign_relative.db");
    let mut browser = Browser::default();
    let page = String::from_utf8(scenario.get(&mut browser, "/chat").body).unwrap();
    let link = format!("/chat?invite={}", scenario.invite("john"));
    let looked = scenario.request(
        &mut browser,
        "GET",
        &link,
        &[("user-agent", "WhatsApp/2.23.20.0 A")],
        b"",
    );
    let card = String::from_utf8(looked.body).unwrap();
    let named = |html: &str| -> Vec<String> {
        let parts = html.split(['"', ' ']).filter(|part| part.contains("assets/"));
        parts.map(str::to_owned).collect()
    };
    for html in [&page, &card] {
        assert!(named(html).len() > 1 && named(html).iter().all(|name| name.starts_with("assets/")));
    }
    let files = named(&page).into_iter().map(|name| format!("/{name}"));
    for file in files.chain(["/sw.js".to_owned()]) {
        let content = String::from_utf8_lossy(&scenario.get(&mut browser, &file).body).into_owned();
        assert!(!content.is_empty(), "{file}");
        for start in ["\"/", "`/", "'/", "(/", "=/"] {
            for place in ["api/", "assets/", "chat", "sw.js"] {
                assert!(!content.contains(&format!("{start}{place}")), "{file}: {start}{place}");
            }
        }
    }
}

#[test]
fn what_only_looks_does_not_spend_the_code() {
    let mut scenario = Scenario::started("sign_preview.db");
    let link = format!("/chat?invite={}", scenario.invite("john"));
    let mut browser = Browser::default();
    for (method, headers) in [
        ("GET", vec![("user-agent", "WhatsApp/2.23.20.0 A")]),
        ("GET", vec![PERSON, ("sec-purpose", "prefetch")]),
        ("GET", vec![PERSON, ("sec-fetch-dest", "iframe")]),
        ("HEAD", vec![PERSON]),
    ] {
        let response = scenario.request(&mut browser, method, &link, &headers, b"");
        assert_eq!(response.status, 200);
        assert!(browser.cookie.is_none());
        let page = String::from_utf8(response.body).unwrap();
        assert!(method == "HEAD" && page.is_empty() || page.contains("og:title") && !page.contains("john"));
    }
    assert_eq!(scenario.request(&mut browser, "GET", &link, &[PERSON], b"").status, 302);
}

#[test]
fn a_link_does_not_replace_somebody_who_is_signed_in() {
    let mut scenario = Scenario::started("sign_switch.db");
    let mut john = scenario.friend("john");
    let code = scenario.invite("jane");
    let response = scenario.get(&mut john, &format!("/chat?invite={code}"));
    assert_eq!(
        (response.status, header(&response, "cache-control")),
        (200, Some("no-store"))
    );
    let response = scenario.post(&mut john, "/api/auth/invite", json!({ "code": code }));
    assert_eq!(
        body(&response),
        json!({"username": "jane", "nickname": "jane", "agent": "the agent"})
    );
    assert_eq!(
        scenario
            .post(&mut john, "/api/auth/redeem", json!({ "code": code }))
            .status,
        409
    );
    assert_eq!(body(&scenario.get(&mut john, "/api/auth/status"))["username"], "john");

    let old = john.clone();
    let response = scenario.post(&mut john, "/api/auth/redeem", json!({ "code": code, "switch": true }));
    assert_eq!(body(&response)["username"], "jane");
    assert_eq!(
        scenario.get(&mut old.clone(), "/api/history").status,
        401,
        "the session that was left has ended"
    );
    assert!(scenario.host.has_closed("session/1"));
}

#[test]
fn where_a_click_is_asked_for_opening_the_link_spends_nothing() {
    let mut scenario = Scenario::new("sign_click.db");
    scenario
        .host
        .settings
        .insert("channels.friends.join".to_owned(), "click".to_owned());
    scenario.plugin.start(&mut scenario.host).unwrap();
    let code = scenario.invite("john");
    let link = format!("/chat?invite={code}");
    let mut john = Browser::default();
    for _ in 0..3 {
        let response = scenario.request(&mut john, "GET", &link, &[PERSON], b"");
        assert_eq!((response.status, header(&response, "set-cookie")), (200, None));
        assert!(!String::from_utf8(response.body).unwrap().contains("not valid any more"));
    }
    let response = scenario.post(&mut john, "/api/auth/invite", json!({ "code": code }));
    assert_eq!(body(&response)["nickname"], "john");
    let response = scenario.post(&mut john, "/api/auth/redeem", json!({ "code": code }));
    assert_eq!(body(&response)["username"], "john");

    let page = scenario
        .request(&mut Browser::default(), "GET", &link, &[PERSON], b"")
        .body;
    assert!(String::from_utf8(page).unwrap().contains("not valid any more"));
    let response = scenario.post(&mut Browser::default(), "/api/auth/invite", json!({ "code": code }));
    assert_eq!(
        (response.status, body(&response)),
        (401, json!({"error": "Invalid or expired invite code"}))
    );
}

#[test]
fn asking_whose_a_code_is_counts_as_a_try() {
    let mut scenario = Scenario::started("sign_peek.db");
    let code = scenario.invite("john");
    let mut peek = |code: &str| {
        scenario
            .post(&mut Browser::default(), "/api/auth/invite", json!({ "code": code }))
            .status
    };
    for _ in 0..4 {
        // A right code in between forgives nothing: it is not spent, and could be shown for ever.
        assert_eq!((peek("0000-0000-0000"), peek(&code)), (401, 200));
    }
    assert_eq!((peek("0000-0000-0000"), peek(&code)), (401, 429));
}

#[test]
fn a_session_lives_while_it_is_used_and_not_for_long_without() {
    let hour_ms = 3_600_000;
    let mut scenario = Scenario::new("sign_idle.db");
    scenario
        .host
        .settings
        .insert("channels.friends.sessionIdle".to_owned(), "1h".to_owned());
    scenario.plugin.start(&mut scenario.host).unwrap();
    let mut john = scenario.friend("john");
    // Use is remembered without a write of its own, and by a process that is killed all the same.
    for _ in 0..4 {
        scenario.host.now_ms += hour_ms - 100_000;
        assert_eq!(scenario.get(&mut john, "/api/history").status, 200);
        scenario.host.now_ms += 61_000;
        assert_eq!(scenario.get(&mut john, "/api/history").status, 200);
        scenario = scenario.crash("sign_idle.db");
    }
    assert!(
        scenario
            .tool("friends_chat_list", json!({}))
            .unwrap()
            .contains("active")
    );
    scenario.host.now_ms += hour_ms;
    assert_eq!(scenario.get(&mut john, "/api/history").status, 401);
    assert!(
        scenario
            .tool("friends_chat_list", json!({}))
            .unwrap()
            .contains("invite pending")
    );
}

#[test]
fn what_a_friend_does_without_end_is_slowed_down_and_nobody_else_is() {
    let mut scenario = Scenario::started("sign_rates.db");
    let (mut john, mut jane) = (scenario.friend("john"), scenario.friend("jane"));
    for (path, sent) in [
        ("/api/chat", json!({"message": "again", "id": "the same"})),
        ("/api/nickname", json!({"nickname": "Johnny"})),
        ("/api/auth/link", json!({})),
    ] {
        let refused = (0..200)
            .map(|_| scenario.post(&mut john, path, sent.clone()))
            .find(|response| response.status != 200);
        let refused = refused.expect("it went on without end");
        assert_eq!(refused.status, 429, "{path}");
        assert!(header(&refused, "retry-after").is_some(), "{path}");
        assert_eq!(scenario.post(&mut jane, path, sent).status, 200, "{path}");
        scenario.host.now_ms += 60_000;
    }
    let opened = (0..300).take_while(|_| scenario.get(&mut john, "/api/stream").status == 200);
    assert!(opened.count() < 200, "feeds are opened without end");
    assert_eq!(scenario.get(&mut jane, "/api/stream").status, 200);
    scenario.host.connections = 30;
    assert_eq!(
        scenario.get(&mut jane, "/api/stream").status,
        429,
        "and held without end"
    );
}

#[test]
fn codes_are_forgiven_their_looks_and_all_wrong_ones_look_alike() {
    let mut scenario = Scenario::started("sign_code.db");
    let expired = scenario.invite("anna");
    scenario.host.now_ms += 7 * 24 * 3600 * 1000;
    let code = scenario.invite("john");
    let typed = code
        .to_lowercase()
        .replace('-', " ")
        .replace('0', "o")
        .replace('1', "l");
    let mut john = Browser::default();
    assert_eq!(
        scenario
            .post(&mut john, "/api/auth/redeem", json!({ "code": typed }))
            .status,
        200
    );
    let mut answers = Vec::new();
    for wrong in [
        code.as_str(),
        expired.as_str(),
        "",
        "0000-0000-0000",
        &"x".repeat(60_000),
        "\u{0}",
    ] {
        let response = scenario.post(&mut Browser::default(), "/api/auth/redeem", json!({ "code": wrong }));
        answers.push((response.status, response.body));
        // Far enough apart for all to be looked at.
        scenario.host.now_ms += 3_600_000;
    }
    answers.dedup();
    assert_eq!(
        answers,
        [(401, br#"{"error":"Invalid or expired invite code"}"#.to_vec())]
    );
}

#[test]
fn signing_out_ends_this_device_and_no_other() {
    let mut scenario = Scenario::started("sign_out.db");
    let mut laptop = scenario.friend("john");
    let code = body(&scenario.post(&mut laptop, "/api/auth/link", json!({})))["code"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut phone = Browser::default();
    assert_eq!(
        scenario
            .post(&mut phone, "/api/auth/redeem", json!({ "code": code }))
            .status,
        200
    );
    let old = laptop.clone();
    let response = scenario.post(&mut laptop, "/api/auth/logout", json!({}));
    assert_eq!(body(&response), json!({"ok": true}));
    assert!(laptop.cookie.is_none());
    assert_eq!(
        scenario.published("session/1"),
        [json!({"type": "end", "reason": "signed-out"})]
    );
    assert!(scenario.host.has_closed("session/1") && !scenario.host.has_closed("session/2"));
    assert_eq!(
        scenario.get(&mut old.clone(), "/api/history").status,
        401,
        "a replayed cookie"
    );
    assert_eq!(scenario.get(&mut phone, "/api/history").status, 200);
}

#[test]
fn a_device_code_lives_ten_minutes() {
    let mut scenario = Scenario::started("sign_device.db");
    let mut laptop = scenario.friend("john");
    let code = body(&scenario.post(&mut laptop, "/api/auth/link", json!({})))["code"]
        .as_str()
        .unwrap()
        .to_owned();
    scenario.host.now_ms += 10 * 60 * 1000;
    assert_eq!(
        scenario
            .post(&mut Browser::default(), "/api/auth/redeem", json!({ "code": code }))
            .status,
        401
    );
    assert_eq!(scenario.get(&mut laptop, "/api/history").status, 200);
}

#[test]
fn forged_cookies_are_nobody() {
    let mut scenario = Scenario::started("sign_forged.db");
    scenario.friend("john");
    for cookie in [
        "",
        "tc_friend_session=",
        "tc_friend_session=' OR 1=1",
        &format!("tc_friend_session={}", "0".repeat(64)),
    ] {
        let mut browser = Browser {
            cookie: Some(cookie.to_owned()),
        };
        assert_eq!(scenario.get(&mut browser, "/api/stream").status, 401, "{cookie}");
        assert_eq!(
            scenario.post(&mut browser, "/api/chat", json!({"message": "x"})).status,
            401,
            "{cookie}"
        );
        assert_eq!(
            body(&scenario.get(&mut browser, "/api/auth/status"))["authenticated"],
            false,
            "{cookie}"
        );
    }
}

#[test]
fn other_sites_change_nothing() {
    let mut scenario = Scenario::started("sign_cross.db");
    let mut john = scenario.friend("john");
    for header in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
    ] {
        for path in ["/api/chat", "/api/auth/logout", "/api/nickname", "/api/auth/redeem"] {
            let headers = [header, ("content-type", "application/json")];
            assert_eq!(
                scenario.request(&mut john, "POST", path, &headers, b"{}").status,
                403,
                "{path}"
            );
        }
    }
    let response = scenario.request(
        &mut john,
        "POST",
        "/api/auth/logout",
        &[("content-type", "text/plain")],
        b"{}",
    );
    assert_eq!(response.status, 415);
    assert_eq!(scenario.get(&mut john, "/api/history").status, 200);
}

#[test]
fn nicknames_are_checked_and_told_to_the_other_pages() {
    let mut scenario = Scenario::started("sign_nick.db");
    let mut john = scenario.friend("john");
    let response = scenario.post(&mut john, "/api/nickname", json!({"nickname": " José 🙂 "}));
    assert_eq!(body(&response), json!({"ok": true, "nickname": "José 🙂"}));
    assert_eq!(
        scenario.published("friend/1"),
        [json!({"type": "nickname", "nickname": "José 🙂"})]
    );
    for bad in [
        json!(""),
        json!("a\nb"),
        json!("a\u{202e}b"),
        json!("é".repeat(65)),
        json!(5),
        Value::Null,
    ] {
        assert_eq!(
            scenario
                .post(&mut john, "/api/nickname", json!({ "nickname": bad }))
                .status,
            400,
            "{bad}"
        );
    }
}

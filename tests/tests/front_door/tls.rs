//! TLS from two files: browsers get HTTP/2, others HTTP/1.1, a renewed certificate is taken up while friends chat.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use friends_chat_tests::{COOKIE, Data, Friend, Harness, Invite};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::client::{Browser, Certificate, until};

fn serve(certificate: &Certificate) -> Harness {
    Data::new().serve(&certificate.arguments().each_ref().map(String::as_str))
}

/// A request by HTTP/1.1; what comes back.
async fn get(certificate: &Certificate, harness: &Harness, target: &str, headers: &str) -> std::io::Result<String> {
    let mut stream = certificate.connect(harness, &["http/1.1"]).await?;
    let request = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Joins, and gives the value of the cookie.
async fn join(certificate: &Certificate, harness: &Harness) -> String {
    let invite: Invite = harness.invite("john");
    let answer = get(certificate, harness, &invite.target(), "").await.unwrap();
    let cookie = answer.split_once(&format!("{COOKIE}=")).unwrap().1;
    assert!(cookie.lines().next().unwrap().contains("Secure"), "{answer}");
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn friends_come_in_by_either_protocol_and_cookies_are_secure() {
    let certificate = Certificate::new();
    let harness = serve(&certificate);
    let port = harness.address().port();
    harness
        .output()
        .expect(&[&format!("The chat is at https://localhost:{port}")]);
    let cookie = join(&certificate, &harness).await;
    let john = Friend::with_cookie(&harness, Some(cookie));
    let stream = certificate.connect(&harness, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut browser = Browser::on(stream, &john).await;
    let (_, mut feed) = browser.send("GET", "/api/stream", "").await.unwrap();
    until(&mut feed, "hello").await;
    let (status, text) = browser
        .ask("POST", "/api/chat", r#"{"message":"one","stream":false}"#)
        .await;
    assert_eq!((status, text.as_str()), (200, r#"{"content":"You said: one"}"#));
    until(&mut feed, "one").await;
    assert_eq!(harness.stop().integrity().trim(), "ok");
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up_and_a_broken_one_is_not() {
    let certificate = Certificate::new();
    let harness = serve(&certificate);
    let is_served = async |other: &Certificate| get(other, &harness, "/api/health", "").await.is_ok();
    assert!(is_served(&certificate).await);

    let first = Certificate::new();
    first.renew(&certificate);
    let second = Certificate::new();
    certificate.renew(&second);
    while !is_served(&second).await {}
    assert!(!is_served(&first).await);

    fs::write(certificate.file("cert.pem"), "rubbish").unwrap();
    while !harness.log().text().contains("stays in use") {
        assert!(is_served(&second).await);
    }
    harness
        .log()
        .expect(&["cert.pem holds no certificate: --tls-cert takes"]);
    certificate.renew(&first);
    while !is_served(&first).await {}
}

#[test]
fn what_is_wrong_with_the_files_is_said() {
    let (one, other) = (Certificate::new(), Certificate::new());
    let (cert, key) = (one.file("cert.pem"), one.file("key.pem"));
    let rows = [
        (vec!["--tls-cert", &cert], "give both, or neither".to_owned()),
        (
            vec!["--tls-cert", "/nowhere", "--tls-key", &key],
            "reading /nowhere".to_owned(),
        ),
        (
            vec!["--tls-cert", &key, "--tls-key", &key],
            "holds no certificate".to_owned(),
        ),
        (
            vec!["--tls-cert", &cert, "--tls-key", &cert],
            "holds no private key".to_owned(),
        ),
    ];
    for (arguments, sentence) in rows {
        let error = Data::new()
            .run(&[&["serve", "--port", "0"], &arguments[..]].concat())
            .failure();
        assert!(error.contains(&sentence), "{error}");
    }
    let theirs = other.file("key.pem");
    let error = Data::new()
        .run(&["serve", "--port", "0", "--tls-cert", &cert, "--tls-key", &theirs])
        .failure();
    assert!(error.contains("cannot be used together"), "{error}");

    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    serve(&one)
        .log()
        .expect(&["others may read the private key", "chmod 600"]);
}

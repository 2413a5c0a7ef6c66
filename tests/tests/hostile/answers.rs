//! A plugin whose answers are none.

use crate::host::Hostile;

#[test]
pub(crate) fn answers_malformed() {
    let host = Hostile::serve("answers_malformed", "");
    assert_eq!(host.text("/status/200"), "answered");
    for status in [0, 99, 101, 600, 65535] {
        host.assert_unfit(&format!("/status/{status}"));
    }
    host.assert_unfit("/injection/0");
    host.assert_unfit("/injection-in-name/0");
    // Framing is the host's: what the plugin says of it is left out.
    let answer = host.get("/forbidden/0");
    assert_eq!((answer.status, answer.text()), (200, "answered"));
    assert_eq!(answer.header("content-length"), Some("8"));
    assert_eq!(answer.header("transfer-encoding"), None);
    assert_eq!(answer.header("upgrade"), None);
}

#[test]
pub(crate) fn answers_gigantic() {
    let host = Hostile::serve(
        "answers_gigantic",
        "response_body_bytes = \"1 MiB\"\nresponse_headers = 10\nresponse_header_bytes = \"1 KiB\"\ntopics_per_hold = 3\nhostcall_bytes = \"4 MiB\"",
    );
    assert_eq!(host.text("/body/1048576").len(), 1 << 20);
    host.assert_unfit("/body/1048577");
    host.assert_told("response_body_bytes");
    assert_eq!(host.get("/headers/10").status, 200);
    host.assert_unfit("/headers/11");
    host.assert_told("response_headers");
    assert_eq!(host.get("/header/1024").status, 200);
    host.assert_unfit("/header/1025");
    host.assert_told("response_header_bytes");
    assert_eq!(host.begin("/topics/3").status, 200);
    host.assert_unfit("/topics/4");
    host.assert_told("topics_per_hold");
    // What is wider than all that a call may hand over is not even copied.
    host.assert_fails("/body/50000000");
    host.assert_lost("fuel");
}

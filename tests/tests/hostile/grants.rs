//! A plugin that asks for what nobody granted it.

use crate::host::{Hostile, data, fixture};

#[test]
pub(crate) fn asks_network() {
    let file = fixture("asks_network");
    let refusal = data("")
        .run(&["serve", "--port", "0", "--plugin", file.to_str().unwrap()])
        .failure();
    assert!(
        refusal.contains("wants `wasi:sockets/") && refusal.contains("does not give"),
        "{refusal}"
    );
}

#[test]
pub(crate) fn asks_around() {
    let data = data("[channels.other]\npassword = \"hunter2\"\n[channels.friends]\nown = \"granted\"\n");
    let secrets = data.path().join("secrets");
    std::fs::create_dir(&secrets).unwrap();
    std::fs::write(secrets.join("other-key"), [b'x'; 32]).unwrap();
    let host = Hostile::on(&data, "asks_around", &[]);
    assert_eq!(host.text("/ask"), "[] [] Ok(None) [] Err(Error::NotGranted)");
}

#[test]
pub(crate) fn calls_back() {
    let host = Hostile::serve("calls_back", "");
    host.assert_fails("/call-back");
    host.assert_lost("cannot leave component instance");
}

#[test]
pub(crate) fn lies_about_version() {
    let host = Hostile::serve("lies_about_version", "");
    host.assert_answers();
}

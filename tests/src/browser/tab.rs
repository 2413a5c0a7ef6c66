//! One tab of a browser, and what a friend does in it.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::session::Session;
use super::{Bubble, Devtools, wait_for, webdriver};
use crate::Invite;

/// The Enter key, for [`Tab::press`].
pub const ENTER: &str = "\u{e007}";
/// Shift and Enter together, for [`Tab::press`].
pub const LINE_BREAK: &str = "\u{e008}\u{e007}\u{e008}";

/// A tab. It stays open until it or its browser is closed.
#[derive(Debug)]
pub struct Tab {
    session: Arc<Session>,
    handle: String,
    origin: String,
}

impl Tab {
    #[track_caller]
    pub(super) fn open(session: &Arc<Session>, origin: &str) -> Self {
        let window = session.command("POST", "window/new", &json!({ "type": "tab" }));
        Self {
            session: session.clone(),
            handle: window["handle"].as_str().unwrap().to_owned(),
            origin: origin.to_owned(),
        }
    }

    /// Opens an address of the harness.
    #[track_caller]
    pub fn go(&self, target: &str) {
        self.command("POST", "url", &json!({ "url": format!("{}{target}", self.origin) }));
    }

    /// Opens an invite link and waits for the chat.
    #[track_caller]
    pub fn join(&self, invite: &Invite) {
        self.command("POST", "url", &json!({ "url": invite.link }));
        self.wait_online();
    }

    /// Closes the tab.
    #[track_caller]
    pub fn close(self) {
        self.command("DELETE", "window", &Value::Null);
    }

    /// Loads the page again.
    #[track_caller]
    pub fn reload(&self) {
        self.command("POST", "refresh", &json!({}));
    }

    /// What stands in the address bar.
    #[track_caller]
    pub fn address(&self) -> String {
        let address = self.command("GET", "url", &Value::Null);
        address.as_str().unwrap().to_owned()
    }

    /// The origin of the harness, as `http://localhost:3001`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Puts the window with this tab away, as somebody does who turns to something else.
    #[track_caller]
    pub fn put_away(&self) {
        // The driver lets every page believe that it is looked at.
        self.devtools("Emulation.setFocusEmulationEnabled", &json!({ "enabled": false }));
        self.command("POST", "window/minimize", &json!({}));
        self.wait("document.visibilityState === 'hidden'");
    }

    /// Takes the window out again.
    #[track_caller]
    pub fn take_out(&self) {
        self.command("POST", "window/rect", &json!({ "width": 1000, "height": 800 }));
        self.wait("document.visibilityState === 'visible'");
    }

    /// Gives the page this much room, as on a phone that is so wide and high in CSS pixels.
    #[track_caller]
    pub fn resize(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": true });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
        self.wait(&format!("innerWidth === {width}"));
    }

    /// Runs the body of a function in the page and gives what it returns.
    #[track_caller]
    pub fn run(&self, script: &str, arguments: &[Value]) -> Value {
        self.command("POST", "execute/sync", &json!({ "script": script, "args": arguments }))
    }

    /// The value of an expression in the page.
    #[track_caller]
    pub fn value(&self, expression: &str) -> Value {
        self.run(&format!("return {expression};"), &[])
    }

    /// Waits until an expression in the page is true.
    #[track_caller]
    pub fn wait(&self, condition: &str) {
        wait_for(
            condition,
            || (self.value(condition) == true).then_some(()),
            || self.sight(),
        );
    }

    /// Waits until an element is in sight.
    #[track_caller]
    pub fn wait_visible(&self, selector: &str) {
        self.wait(&format!(
            "document.querySelector({selector:?})?.checkVisibility() === true"
        ));
    }

    /// Waits until the chat is there and its stream greets.
    #[track_caller]
    pub fn wait_online(&self) {
        self.wait_visible("#chat");
        self.wait("document.querySelector('#presence').dataset.link === 'online'");
    }

    /// The text of an element as it is in sight; none where it is not.
    #[track_caller]
    pub fn text(&self, selector: &str) -> String {
        let text = self.run(
            "const element = document.querySelector(arguments[0]);
            // What is not in sight would be given with its text all the same.
            return element.checkVisibility() ? element.innerText : '';",
            &[selector.into()],
        );
        text.as_str().unwrap().to_owned()
    }

    /// Clicks an element.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.command("POST", &format!("element/{element}/click"), &json!({}));
    }

    /// Presses keys in an element, one by one.
    #[track_caller]
    pub fn press(&self, selector: &str, keys: &str) {
        let element = self.element(selector);
        self.command("POST", &format!("element/{element}/value"), &json!({ "text": keys }));
    }

    /// Pastes text of any length, line breaks and all, into the message field and sends it.
    #[track_caller]
    pub fn send(&self, message: &str) {
        self.click("#message");
        self.devtools("Input.insertText", &json!({ "text": message }));
        self.press("#message", ENTER);
    }

    /// The conversation, earliest first.
    #[track_caller]
    pub fn bubbles(&self) -> Vec<Bubble> {
        Bubble::read(self)
    }

    /// Waits until the conversation is this, as role and text, with nothing on its way.
    #[track_caller]
    pub fn wait_bubbles(&self, wanted: &[(&str, &str)]) {
        let what = format!("the conversation is {wanted:?}");
        let look = || Bubble::are(&self.bubbles(), wanted).then_some(());
        wait_for(&what, look, || format!("{:#?}", self.bubbles()));
    }

    /// A command of Chromium's own protocol.
    #[track_caller]
    pub fn devtools(&self, name: &str, parameters: &Value) -> Value {
        self.command(
            "POST",
            "goog/cdp/execute",
            &json!({ "cmd": name, "params": parameters }),
        )
    }

    /// Connects to the tab by that protocol itself, which tells of events too.
    #[track_caller]
    pub fn attach(&self) -> Devtools {
        Devtools::open(self.session.browser, &self.handle)
    }

    /// Lets the page believe that it is later than it is.
    #[track_caller]
    pub fn skip_seconds(&self, seconds: u32) {
        let skip = "const { now } = Date, [seconds] = arguments; Date.now = () => now() + seconds * 1000;";
        self.run(skip, &[seconds.into()]);
    }

    /// Saves a picture of what is in sight, as PNG.
    #[track_caller]
    pub fn save_picture(&self, file: &Path) {
        self.session.save_picture(&self.handle, file);
    }

    /// What a person would tell of the page.
    fn sight(&self) -> String {
        let text = self.value("document.body.innerText");
        format!("{} {:?}", self.address(), text.as_str().unwrap_or_default())
    }

    #[track_caller]
    fn element(&self, selector: &str) -> String {
        let query = json!({ "using": "css selector", "value": selector });
        let element = self.command("POST", "element", &query);
        element[webdriver::ELEMENT].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        self.session.command_in(&self.handle, method, path, body)
    }
}

//! What the browser's console and network log have told.

use serde_json::Value;

/// What must not have happened, by the entries of the console.
pub(super) fn of_console(entries: &[Value], provoked: &[String]) -> Vec<String> {
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    let told = entries
        .iter()
        .map(|entry| (text(entry, "level"), text(entry, "message")));
    told.filter(|(level, message)| {
        let is_violation = ["Content Security Policy", "Content-Security-Policy", "Trusted"]
            .iter()
            .any(|words| message.contains(words));
        let is_provoked = provoked.iter().any(|words| message.contains(words));
        is_violation || (level == "SEVERE" && !is_provoked)
    })
    .map(|(level, message)| format!("console, {level}: {message}"))
    .collect()
}

/// The events in the entries of the network log.
pub(super) fn events(entries: &[Value]) -> Vec<Value> {
    let events = entries.iter().map(|entry| {
        let text = entry["message"].as_str().unwrap();
        let mut event: Value = serde_json::from_str(text).unwrap();
        event["message"].take()
    });
    events.collect()
}

/// The addresses of all requests and connections.
pub(super) fn requested(events: &[Value]) -> Vec<String> {
    events
        .iter()
        .filter_map(|event| match event["method"].as_str() {
            Some("Network.requestWillBeSent") => Some(event["params"]["request"]["url"].as_str().unwrap().to_owned()),
            Some("Network.webSocketCreated" | "Network.webTransportCreated") => {
                Some(event["params"]["url"].as_str().unwrap().to_owned())
            }
            _ => None,
        })
        .collect()
}

/// What must not have been asked for: anything that is not at `origin` and would leave the browser.
pub(super) fn of_network(requested: &[String], origin: &str) -> Vec<String> {
    let inside = [
        format!("{origin}/"),
        "data:".to_owned(),
        "blob:".to_owned(),
        "about:".to_owned(),
    ];
    let strange = requested
        .iter()
        .filter(|url| !inside.iter().any(|start| url.starts_with(start)));
    strange.map(|url| format!("request to {url}")).collect()
}

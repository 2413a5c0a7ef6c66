//! The headers of GRIP, by which a proxy is asked to hold a connection and to ask again for what it missed.

/// Seconds after which a proxy that has nothing to say asks for what it missed. Where an item did not arrive and none
/// follows, this is how long a page does not know.
const ASK_AGAIN_S: u64 = 60;
/// Where it asks.
pub(crate) const MISSED_PATH: &str = "/internal/missed";

/// A place in what is published to a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) topic: String,
    pub(crate) id: String,
}

/// What is written while nothing happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Beat {
    pub(crate) frame: String,
    pub(crate) every_s: u32,
}

/// A stream that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) marks: Vec<Mark>,
    pub(crate) beat: Option<Beat>,
    /// Unix time in seconds at which it ends.
    pub(crate) until_s: u64,
}

impl Stream {
    /// What the proxy is told.
    pub(crate) fn headers(&self, now_s: u64) -> Vec<(&'static str, String)> {
        let ask_in_s = self.until_s.saturating_sub(now_s).clamp(1, ASK_AGAIN_S);
        let mut headers = vec![
            ("grip-hold", "stream".to_owned()),
            ("grip-channel", channels(&self.marks)),
            ("grip-link", format!("<{}>; rel=next; timeout={ask_in_s}", self.link())),
        ];
        if let Some(Beat { frame, every_s }) = &self.beat {
            let frame = frame.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
            headers.push(("grip-keep-alive", format!("{frame}; format=cstring; timeout={every_s}")));
        }
        headers
    }

    /// What the proxy asks with; of another target it is none.
    pub(crate) fn from_link(target: &str) -> Option<Self> {
        let query = target.strip_prefix(MISSED_PATH)?.strip_prefix('?')?;
        let (mut marks, mut until_s, mut frame, mut every_s) = (Vec::new(), None, None, None);
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=')?;
            match name {
                "until" => until_s = Some(value.parse().ok()?),
                "beat" => frame = Some(decode(value)?),
                "every" => every_s = Some(value.parse().ok()?),
                "mark" => {
                    let (topic, id) = value.split_once('~')?;
                    marks.push(Mark {
                        topic: decode(topic)?,
                        id: decode(id)?,
                    });
                }
                _ => return None,
            }
        }
        Some(Self {
            marks,
            beat: frame.zip(every_s).map(|(frame, every_s)| Beat { frame, every_s }),
            until_s: until_s?,
        })
    }

    /// The same stream where it stands now: the proxy has sent something since it was given the link.
    pub(crate) fn at(mut self, last: &[Mark]) -> Self {
        for mark in &mut self.marks {
            if let Some(now) = last.iter().find(|last| last.topic == mark.topic) {
                mark.id.clone_from(&now.id);
            }
        }
        self
    }

    fn link(&self) -> String {
        let mut link = format!("{MISSED_PATH}?until={}", self.until_s);
        if let Some(Beat { frame, every_s }) = &self.beat {
            link.push_str(&format!("&beat={}&every={every_s}", encode(frame)));
        }
        for Mark { topic, id } in &self.marks {
            link.push_str(&format!("&mark={}~{}", encode(topic), encode(id)));
        }
        link
    }
}

/// What the proxy is told of a response that is withheld.
pub(crate) fn withheld(marks: &[Mark], life_s: u64) -> Vec<(&'static str, String)> {
    vec![
        ("grip-hold", "response".to_owned()),
        ("grip-channel", channels(marks)),
        ("grip-timeout", life_s.to_string()),
    ]
}

/// The places that the proxy names when it asks again, in the header `Grip-Last`.
pub(crate) fn last(header: &str) -> Vec<Mark> {
    let marks = header.split(',').filter_map(|part| {
        let (topic, parameters) = part.split_once(';')?;
        let id = parameters
            .split(';')
            .find_map(|parameter| parameter.trim().strip_prefix("last-id="))?;
        Some(Mark {
            topic: topic.trim().to_owned(),
            id: id.to_owned(),
        })
    });
    marks.collect()
}

fn channels(marks: &[Mark]) -> String {
    let channels: Vec<String> = marks
        .iter()
        .map(|Mark { topic, id }| format!("{topic}; prev-id={id}"))
        .collect();
    channels.join(", ")
}

fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let (digits, after) = after.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Stream {
        Stream {
            marks: vec![
                Mark {
                    topic: "friend/1".to_owned(),
                    id: "word-4".to_owned(),
                },
                Mark {
                    topic: "a~b & ü".to_owned(),
                    id: "w-0".to_owned(),
                },
            ],
            beat: Some(Beat {
                frame: ":\n\n".to_owned(),
                every_s: 10,
            }),
            until_s: 5_000,
        }
    }

    #[test]
    fn the_proxy_comes_back_with_what_it_was_given() {
        let stream = stream();
        assert_eq!(Stream::from_link(&stream.link()), Some(stream.clone()));
        let silent = Stream { beat: None, ..stream };
        assert_eq!(Stream::from_link(&silent.link()), Some(silent));
    }

    #[test]
    fn what_was_sent_since_is_not_sent_again() {
        let last = [
            Mark {
                topic: "friend/1".to_owned(),
                id: "word-9".to_owned(),
            },
            Mark {
                topic: "friend/2".to_owned(),
                id: "x-9".to_owned(),
            },
        ];
        let ids: Vec<String> = stream().at(&last).marks.into_iter().map(|mark| mark.id).collect();
        assert_eq!(ids, ["word-9", "w-0"]);
    }

    #[test]
    fn other_targets_are_no_links() {
        for target in [
            "/",
            "/internal/missed",
            "/internal/missed?",
            "/internal/missed?mark=a~b",
            "/internal/missed?until=1&mark=a",
        ] {
            assert_eq!(Stream::from_link(target), None, "{target}");
        }
        for broken in ["%", "%4", "%zz", "%ff", "%é"] {
            assert_eq!(decode(broken), None, "{broken}");
        }
    }

    #[test]
    fn headers_name_channels_with_their_places() {
        let headers = stream().headers(4_990);
        let header = |name| {
            headers
                .iter()
                .find(|(other, _)| *other == name)
                .map(|(_, value)| value.as_str())
        };
        assert_eq!(header("grip-hold"), Some("stream"));
        assert_eq!(
            header("grip-channel"),
            Some("friend/1; prev-id=word-4, a~b & ü; prev-id=w-0")
        );
        assert_eq!(header("grip-keep-alive"), Some(":\\n\\n; format=cstring; timeout=10"));
        assert!(header("grip-link").is_some_and(|link| link.ends_with(">; rel=next; timeout=10")));
        let late = stream().headers(6_000);
        assert!(late.iter().any(|(_, value)| value.ends_with("timeout=1")));
    }

    #[test]
    fn last_ids_are_read_as_the_proxy_writes_them() {
        let mark = |topic: &str, id: &str| Mark {
            topic: topic.to_owned(),
            id: id.to_owned(),
        };
        assert_eq!(last("answer/1/json; last-id=w-3"), [mark("answer/1/json", "w-3")]);
        assert_eq!(last("a; last-id=1, b;x=y; last-id=2"), [mark("a", "1"), mark("b", "2")]);
        assert_eq!(last("nothing"), []);
    }
}

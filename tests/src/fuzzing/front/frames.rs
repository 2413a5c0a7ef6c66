//! What is sent back by HTTP/2 (RFC 9113): whole frames in an order that there may be, on streams that the client opened,
//! and no more data than it allowed.

use std::collections::BTreeMap;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// What a frame may hold, and a connection and a stream may have under way, where nobody says otherwise.
const MAX_FRAME_BYTES: usize = 16 << 10;
const WINDOW_BYTES: u64 = 65_535;

/// The preface, of which the frames come after.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame.
struct Frame<'a> {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: &'a [u8],
}

/// A stream as the client sees it.
#[derive(Default)]
struct Stream {
    answers: usize,
    ended: bool,
}

/// Asserts that what was received is what may come after what was sent.
pub(super) fn check(sent: &[u8], received: &[u8], may_be_cut: bool) {
    let Some(sent) = sent.strip_prefix(PREFACE) else {
        // Nobody speaks HTTP/2 yet, and nobody is answered with more than the front's own beginning and end.
        assert!(frames(received).0.iter().all(|frame| frame.stream == 0));
        return;
    };
    let (asked, _) = frames(sent);
    let (answered, rest) = frames(received);
    assert!(may_be_cut || rest.is_empty(), "a frame is cut off: {rest:?}");
    let own_sizes = asked
        .iter()
        .any(|frame| frame.kind == SETTINGS && frame.flags & ACK == 0 && !frame.payload.is_empty());
    let mut streams: BTreeMap<u32, Stream> = BTreeMap::new();
    for frame in asked.iter().filter(|frame| frame.kind == HEADERS) {
        streams.entry(frame.stream).or_default();
    }
    let window = WINDOW_BYTES + increments(&asked);
    let (mut data_bytes, mut unfinished) = (0, None);
    for (number, frame) in answered.iter().enumerate() {
        assert_eq!(
            number == 0,
            frame.kind == SETTINGS && frame.flags & ACK == 0,
            "settings come first, and once"
        );
        assert!(
            own_sizes || frame.payload.len() <= MAX_FRAME_BYTES,
            "a frame is too large"
        );
        assert_ne!(frame.kind, PUSH_PROMISE);
        assert_eq!(
            unfinished.is_some(),
            frame.kind == CONTINUATION,
            "headers are not in one piece"
        );
        assert!(unfinished.is_none_or(|stream| stream == frame.stream));
        if matches!(frame.kind, HEADERS | CONTINUATION) {
            unfinished = (frame.flags & END_HEADERS == 0).then_some(frame.stream);
        }
        if frame.stream == 0 {
            assert!(
                !matches!(frame.kind, DATA | HEADERS | RST_STREAM),
                "type {} on no stream",
                frame.kind
            );
            continue;
        }
        assert!(
            !matches!(frame.kind, SETTINGS | GOAWAY),
            "type {} on a stream",
            frame.kind
        );
        if matches!(frame.kind, RST_STREAM | WINDOW_UPDATE) {
            // Allowed on streams that ended, too.
            streams.entry(frame.stream).or_default().ended |= frame.kind == RST_STREAM;
            continue;
        }
        let stream = streams.get_mut(&frame.stream).expect("an answer to nothing");
        assert!(!stream.ended || frame.kind == CONTINUATION, "after a stream's end");
        match frame.kind {
            HEADERS => stream.answers += 1,
            DATA => {
                assert_eq!(stream.answers, 1, "a body without a head");
                data_bytes += frame.payload.len() as u64;
                assert!(data_bytes <= window, "more than the client allowed");
            }
            _ => {}
        }
        assert!(stream.answers <= 1, "two answers on a stream");
        stream.ended |= matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM != 0;
    }
}

/// By how much a client widened the window of the connection.
fn increments(frames: &[Frame<'_>]) -> u64 {
    let widening = frames
        .iter()
        .filter(|frame| frame.kind == WINDOW_UPDATE && frame.stream == 0);
    let increment = |frame: &Frame<'_>| Some(u64::from(number(frame.payload)? & 0x7fff_ffff));
    widening.filter_map(increment).sum()
}

/// The whole frames, and what follows them.
fn frames(bytes: &[u8]) -> (Vec<Frame<'_>>, &[u8]) {
    let mut frames = Vec::new();
    let mut rest = bytes;
    while let Some((head, after)) = rest.split_at_checked(9) {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let Some((payload, after)) = after.split_at_checked(length) else {
            break;
        };
        frames.push(Frame {
            kind: head[3],
            flags: head[4],
            stream: number(&head[5..]).unwrap() & 0x7fff_ffff,
            payload,
        });
        rest = after;
    }
    (frames, rest)
}

fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.first_chunk()?))
}

//! One feed, several transports: the one place where events become frames and go to those who listen.

use channel_plugin::{CloseReason, Host, PublishError, Response, sse};

use crate::event::{EndReason, Event};
use crate::topic::{Topic, Wire};

/// Most bytes of one piece of an answer; longer ones are cut up, far below any host's bound on a frame.
const MAX_PIECE_BYTES: usize = 16 * 1024;

/// Sends an event to everybody who listens to a topic, in the form they listen in, and tells how many they are.
///
/// An event that is too long for the host becomes the advice to load the history.
pub(crate) fn send(host: &mut dyn Host, topic: Topic, event: &Event<'_>) -> u32 {
    match try_send(host, topic, event) {
        Err(PublishError::TooLong { .. }) => try_send(host, topic, &Event::Resync),
        other => other,
    }
    .unwrap_or_else(|error| {
        tracing::error!(%topic, %error, "an event was not published");
        0
    })
}

/// Sends the same event to a friend's feed and, as the contract words it there, to the stream of the answer
/// that it is about.
pub(crate) fn send_about(
    host: &mut dyn Host,
    friend_id: i64,
    message_id: i64,
    event: impl Fn(Option<i64>) -> Event<'static>,
) {
    send(host, Topic::Friend(friend_id), &event(Some(message_id)));
    send(host, Topic::Answer(message_id), &event(None));
}

/// Sends a piece of an answer to the feed and to the stream of that answer.
pub(crate) fn send_text(host: &mut dyn Host, friend_id: i64, message_id: i64, text: &str) {
    for content in pieces(text) {
        send(
            host,
            Topic::Friend(friend_id),
            &Event::Text {
                message: Some(message_id),
                content,
            },
        );
        send(host, Topic::Answer(message_id), &Event::Text { message: None, content });
    }
}

/// Gives those who wait for one whole answer theirs.
pub(crate) fn respond(host: &mut dyn Host, message_id: i64, response: Response) {
    if let Err(error) = host.respond(&Topic::Answer(message_id).name(Wire::Json), response) {
        tracing::error!(message_id, %error, "an answer was not given");
    }
}

/// Says why, then ends every connection of a topic.
pub(crate) fn end(host: &mut dyn Host, topic: Topic, reason: EndReason) {
    send(host, topic, &Event::End { reason });
    close(host, topic, reason);
}

/// Ends every connection of a topic without a word, as after a complete answer.
pub(crate) fn close(host: &mut dyn Host, topic: Topic, reason: EndReason) {
    let reason = close_reason(reason);
    for wire in [Wire::Stream, Wire::Socket, Wire::Json] {
        if let Err(error) = host.close(&topic.name(wire), reason) {
            tracing::error!(%topic, %error, "connections were not closed");
        }
    }
}

/// Ends the streams of an answer that is complete.
pub(crate) fn close_answer(host: &mut dyn Host, message_id: i64) {
    let reason = CloseReason {
        code: 1000,
        text: "complete",
    };
    if let Err(error) = host.close(&Topic::Answer(message_id).name(Wire::Stream), reason) {
        tracing::error!(message_id, %error, "an answer's stream was not closed");
    }
}

/// The text in pieces that fit a frame, cut between characters.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, after) = rest.split_at_checked(rest.floor_char_boundary(MAX_PIECE_BYTES))?;
        rest = after;
        Some(piece)
    })
}

fn try_send(host: &mut dyn Host, topic: Topic, event: &Event<'_>) -> Result<u32, PublishError> {
    let json = event.json();
    let mut reached = host.publish(&topic.name(Wire::Stream), sse::frame(event.log_id(), &json).as_bytes())?;
    // The stream of one answer exists as a stream only.
    if !matches!(topic, Topic::Answer(_)) {
        reached = reached.saturating_add(host.publish(&topic.name(Wire::Socket), json.as_bytes())?);
    }
    Ok(reached)
}

const fn close_reason(reason: EndReason) -> CloseReason {
    match reason {
        EndReason::Revoked => CloseReason {
            code: 4401,
            text: "revoked",
        },
        EndReason::Reinvited => CloseReason {
            code: 4401,
            text: "reinvited",
        },
        EndReason::SignedOut => CloseReason {
            code: 4401,
            text: "signed-out",
        },
        EndReason::Stopping => CloseReason::STOPPING,
        EndReason::Reload => CloseReason {
            code: 1012,
            text: "reload",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_cut_between_characters_and_lose_nothing() {
        let text = "é🙂a".repeat(20_000);
        assert!(pieces(&text).all(|piece| !piece.is_empty() && piece.len() <= MAX_PIECE_BYTES));
        assert_eq!(pieces(&text).collect::<String>(), text);
        assert_eq!(pieces("").count(), 0);
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod properties {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_fit_and_are_the_text(text in "[aé王🙂]{0,3}", times in 0..20_000_usize) {
            let text = text.repeat(times);
            prop_assert!(pieces(&text).all(|piece| !piece.is_empty() && piece.len() <= MAX_PIECE_BYTES));
            prop_assert!(pieces(&text).collect::<String>() == text);
            let fewest = text.len().div_ceil(MAX_PIECE_BYTES);
            prop_assert!((fewest..=fewest.saturating_add(1)).contains(&pieces(&text).count()));
        }
    }
}

//! One answer as the protocol words it: `chat.completion.chunk` objects in pieces, or one `chat.completion`.

use serde_json::Value;

use super::failure::Failure;
use super::tools::Call;
use crate::agent::Piece;

/// The end of a stream, in place of an object.
const DONE: &str = "[DONE]";
/// Most calls of tools in one answer, and most bytes of one's arguments.
const MOST_CALLS: usize = 8;
const ARGUMENTS_BYTES: usize = 16 << 10;
/// Most characters of a server's own words in the log.
const MOST_WORDS: usize = 300;

/// What has come of an answer.
#[derive(Debug, Default)]
pub(super) struct Reply {
    has_text: bool,
    has_thought: bool,
    has_ended: bool,
    calls: Vec<Call>,
    /// The answer was begun before a tool was called: this may add nothing.
    is_more: bool,
}

/// What an event means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    Piece(Piece),
    /// Nothing for a friend.
    Nothing,
    /// The answer is complete.
    End,
}

impl Reply {
    /// A reply after others to the same message, which have said something or not.
    pub(super) fn after(has_text: bool) -> Self {
        Self {
            is_more: has_text,
            ..Self::default()
        }
    }

    /// Whether a friend has seen something of it.
    pub(super) fn has_begun(&self) -> bool {
        self.has_text
    }

    /// Understands the data of one event.
    pub(super) fn chunk(&mut self, data: &str) -> Result<Chunk, Failure> {
        if data.trim() == DONE {
            self.has_ended = true;
            return Ok(Chunk::End);
        }
        let chunk: Value = serde_json::from_str(data).map_err(|_| Failure::Rubbish("an event that is not JSON"))?;
        if let Some(words) = error_in(&chunk) {
            return Err(Failure::Said(words));
        }
        // Without choices: usage, or a word of the gateway's own.
        let Some(choice) = chunk.pointer("/choices/0") else {
            return Ok(Chunk::Nothing);
        };
        self.has_ended |= choice.get("finish_reason").is_some_and(|reason| !reason.is_null());
        let said = choice.get("delta").or_else(|| choice.get("message"));
        Ok(match said.and_then(|said| self.said(said)) {
            Some(piece) => Chunk::Piece(piece),
            None => Chunk::Nothing,
        })
    }

    /// Understands an answer that came in one piece.
    pub(super) fn whole(&mut self, answer: &Value) -> Result<Option<Piece>, Failure> {
        if let Some(words) = error_in(answer) {
            return Err(Failure::Said(words));
        }
        let message = answer
            .pointer("/choices/0/message")
            .ok_or(Failure::Rubbish("JSON that is not an answer"))?;
        self.has_ended = true;
        Ok(self.said(message))
    }

    /// The tools that were called, once the answer has come to its end.
    pub(super) fn end(&mut self) -> Result<Vec<Call>, Failure> {
        let calls = std::mem::take(&mut self.calls);
        match (self.has_text || self.is_more || !calls.is_empty(), self.has_ended) {
            (true, true) => Ok(calls),
            (true, false) => Err(Failure::Broken("it has no end".to_owned())),
            (false, _) => Err(Failure::Empty),
        }
    }

    /// Joins the fragments of calls: each names its call by an index, or is one of its own.
    fn called(&mut self, fragments: &[Value]) {
        for (place, fragment) in fragments.iter().enumerate() {
            let index = fragment.get("index").and_then(Value::as_u64);
            let index = index.map_or(Some(place), |index| usize::try_from(index).ok());
            let Some(index) = index.filter(|index| *index < MOST_CALLS) else {
                continue;
            };
            if self.calls.len() <= index {
                self.calls.resize_with(index + 1, Call::default);
            }
            let Some(call) = self.calls.get_mut(index) else {
                continue;
            };
            let text = |pointer| fragment.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            if call.id.is_empty() {
                text("/id").clone_into(&mut call.id);
            }
            call.name.push_str(text("/function/name"));
            call.arguments.push_str(text("/function/arguments"));
            // What is longer than any note is none, and is refused as such.
            call.arguments
                .truncate(call.arguments.floor_char_boundary(ARGUMENTS_BYTES));
        }
    }

    fn said(&mut self, said: &Value) -> Option<Piece> {
        if let Some(fragments) = said.get("tool_calls").and_then(Value::as_array) {
            self.called(fragments);
        }
        let text = |name| said.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        if let Some(content) = text("content") {
            self.has_text = true;
            return Some(Piece::Delta(content.to_owned()));
        }
        // Thoughts are the model's own. That it has some is worth a word, once.
        let thinks = text("reasoning_content").or_else(|| text("reasoning")).is_some();
        let is_news = thinks && !self.has_thought && !self.has_text;
        self.has_thought |= thinks;
        is_news.then(|| Piece::Status("thinking…".to_owned()))
    }
}

/// The words of an error object, in any of the forms that servers have for it.
pub(super) fn error_in(body: &Value) -> Option<String> {
    let error = body.get("error").filter(|error| !error.is_null())?;
    let words = error
        .get("message")
        .or(Some(error))
        .and_then(Value::as_str)
        .map_or_else(|| error.to_string(), str::to_owned);
    Some(words.chars().take(MOST_WORDS).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn delta(text: &str) -> Chunk {
        Chunk::Piece(Piece::Delta(text.to_owned()))
    }

    #[test]
    fn pieces_thoughts_and_the_end() {
        let mut reply = Reply::default();
        for (data, chunk) in [
            (r#"{"choices":[]}"#, Chunk::Nothing),
            (
                r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#,
                Chunk::Nothing,
            ),
            (
                r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#,
                Chunk::Piece(Piece::Status("thinking…".to_owned())),
            ),
            (r#"{"choices":[{"delta":{"reasoning":"hm hm"}}]}"#, Chunk::Nothing),
            (
                r#"{"choices":[{"delta":{"content":"Hel"},"finish_reason":null}]}"#,
                delta("Hel"),
            ),
            (
                r#"{"choices":[{"delta":{"content":"lo"},"finish_reason":"stop"}]}"#,
                delta("lo"),
            ),
            (r#"{"choices":[],"usage":{"total_tokens":3}}"#, Chunk::Nothing),
        ] {
            assert_eq!(reply.chunk(data).unwrap(), chunk, "{data}");
        }
        // The end is known without its mark.
        reply.end().unwrap();
        assert_eq!(reply.chunk(" [DONE]").unwrap(), Chunk::End);
    }

    #[test]
    fn fragments_of_calls_are_joined_by_index() {
        let mut reply = Reply::default();
        for calls in [
            r#"[{"index":1,"id":"b","function":{"name":"two","arguments":""}}]"#,
            r#"[{"index":0,"id":"a","function":{"name":"one","arguments":"{\"a\""}},{"index":1,"function":{"arguments":"{"}}]"#,
            r#"[{"index":1,"function":{"arguments":"}"}},{"index":0,"function":{"arguments":":1}"}},{"index":99,"id":"c"}]"#,
        ] {
            let data = format!(r#"{{"choices":[{{"delta":{{"tool_calls":{calls}}}}}]}}"#);
            assert_eq!(reply.chunk(&data).unwrap(), Chunk::Nothing);
        }
        reply
            .chunk(r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#)
            .unwrap();
        let call = |id: &str, name: &str, arguments: &str| Call {
            id: id.to_owned(),
            name: name.to_owned(),
            arguments: arguments.to_owned(),
        };
        assert_eq!(
            reply.end().unwrap(),
            [call("a", "one", r#"{"a":1}"#), call("b", "two", "{}")]
        );
    }

    #[test]
    fn what_is_no_answer_is_a_failure() {
        let mut reply = Reply::default();
        assert!(matches!(reply.chunk("rubbish"), Err(Failure::Rubbish(_))));
        assert!(matches!(reply.end(), Err(Failure::Empty)));
        for error in [r#"{"error":{"message":"no"}}"#, r#"{"error":"no"}"#] {
            assert!(matches!(reply.chunk(error), Err(Failure::Said(words)) if words == "no"));
        }
        assert!(matches!(
            reply.whole(&serde_json::json!({ "answer": 42 })),
            Err(Failure::Rubbish(_))
        ));
        reply.chunk(r#"{"choices":[{"delta":{"content":"half"}}]}"#).unwrap();
        assert!(matches!(reply.end(), Err(Failure::Broken(_))));
    }
}

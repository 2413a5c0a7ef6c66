//! Carrying out what calls have asked for.

use super::{Component, agent, push};
use crate::bindings::exports::tinyclaw::bridge::effects::{Gap, Guest, Lost, Mark, Response, Ticket};

impl Guest for Component {
    fn publish() {
        push::publish();
    }

    fn hand_over() -> Vec<Lost> {
        agent::hand_over()
    }

    fn answered_by_agent(ticket: Ticket) {
        agent::answered(ticket);
    }

    fn marks(topics: Vec<String>) -> Vec<Mark> {
        push::recent(|recent| {
            let marks = topics.into_iter().map(|topic| Mark {
                id: recent.mark(&topic),
                topic,
            });
            marks.collect()
        })
    }

    fn missed(since: Vec<Mark>) -> Option<Gap> {
        let marks = since.iter().map(|mark| (mark.topic.as_str(), mark.id.as_str()));
        let missed = push::recent(|recent| recent.missed(marks))?;
        Some(Gap {
            frames: missed.frames,
            ended: missed.ended,
        })
    }

    fn answered(at: Vec<Mark>) -> Option<Response> {
        let answer = push::recent(|recent| {
            let mut marks = at.iter();
            marks.find_map(|mark| recent.answered(&mark.topic, &mark.id).cloned())
        })?;
        let headers = answer.headers.into_iter();
        Some(Response {
            status: answer.code,
            headers: headers.map(|(name, value)| (name, value.into_bytes())).collect(),
            body: answer.body,
            hold: None,
        })
    }
}

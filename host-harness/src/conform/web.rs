//! The web side: every request gets an answer, and the same through both doors.

use super::{Found, Report, Scene, expect};
use crate::plugin::{Asked, Given};

/// Fields that belong to the connection, which the host sets.
const OF_THE_CONNECTION: [&str; 4] = ["connection", "content-length", "keep-alive", "transfer-encoding"];

/// Bytes of a body that hosts let through and no chat needs.
const BIG: usize = 1 << 20;

pub(super) async fn look(scene: &Scene, report: &mut Report) {
    report.note("requests before start", are_answered(scene, false).await);
    report.note("requests of every kind", are_answered(scene, true).await);
    report.skip(
        "a call from within an import",
        "Wasmtime lets nobody enter a component that is in the middle of a call",
    );
    match scene.fresh().await {
        Ok((plugin, _files)) if !plugin.has_standard_door() => {
            report.skip("the same through both doors", "it has no door for `wasi:http`");
        }
        Ok(_) => report.note("the same through both doors", are_the_same(scene).await),
        Err(error) => report.note("the same through both doors", Err(error)),
    }
}

fn asked(method: &str, target: &str) -> Asked {
    Asked {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: vec![("host".to_owned(), "localhost".to_owned())],
        body: Vec::new(),
    }
}

/// Requests that any host can be sent.
fn requests() -> Vec<Asked> {
    let mut requests = Vec::new();
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        for target in ["/", "/no/such/place", "/?a=b&a=%C3%A9"] {
            requests.push(asked(method, target));
        }
    }
    let long = format!("/{}", "x".repeat(4_000));
    requests.push(asked("GET", &long));
    for (name, value) in [
        ("cookie", "a=b; c"),
        ("accept", "text/event-stream"),
        ("content-type", "application/json"),
        ("accept-language", "de,;q=x,*"),
    ] {
        for method in ["GET", "POST"] {
            let mut request = asked(method, "/");
            request.headers.push((name.to_owned(), value.to_owned()));
            requests.push(request);
        }
    }
    for body in [b"{".to_vec(), vec![0xff; 64], vec![b' '; BIG]] {
        requests.push(Asked {
            body,
            ..asked("POST", "/")
        });
    }
    requests
}

/// What is not for a client: the host's own, and what differs with the time.
fn seen(given: Given) -> Given {
    let headers = given.headers.into_iter();
    Given {
        headers: headers
            .filter(|(name, _)| name != "host-cache-control" && name != "date")
            .collect(),
        ..given
    }
}

async fn are_answered(scene: &Scene, started: bool) -> Found {
    let (mut plugin, _files) = match started {
        true => scene.started().await?,
        false => scene.fresh().await?,
    };
    for request in requests() {
        let name = format!("{} {:.40}", request.method, request.target);
        let given = plugin
            .record(&request)
            .await
            .map_err(|broken| format!("{name}: {broken}"))?;
        let is_status = (200..600).contains(&given.status);
        expect(
            is_status,
            &format!("{name}: a status is from 200 to 599"),
            &given.status,
        )?;
        for (field, _) in &given.headers {
            let is_lower = !field.is_empty() && !field.contains(|c: char| c.is_ascii_uppercase() || c.is_whitespace());
            expect(is_lower, &format!("{name}: names of headers are in lower case"), field)?;
            let is_own = !OF_THE_CONNECTION.contains(&field.as_str());
            expect(
                is_own,
                &format!("{name}: what belongs to the connection is the host's"),
                field,
            )?;
        }
    }
    Ok(())
}

async fn are_the_same(scene: &Scene) -> Found {
    let (mut plugin, _files) = scene.started().await?;
    for request in requests() {
        let name = format!("{} {:.40}", request.method, request.target);
        let record = plugin
            .record(&request)
            .await
            .map_err(|broken| format!("{name}: {broken}"))?;
        let standard = plugin
            .standard(&request)
            .await
            .map_err(|error| format!("{name} by `wasi:http`: {error}"))?;
        let (record, standard) = (seen(record), seen(standard));
        let alike = (record.status, &record.headers, record.is_held, record.body.len());
        let other = (
            standard.status,
            &standard.headers,
            standard.is_held,
            standard.body.len(),
        );
        let rule = format!("{name}: both doors give the same, which is {alike:?} by `http.handle`");
        expect(record == standard, &rule, &other)?;
    }
    Ok(())
}

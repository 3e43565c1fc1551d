//! Where people are told: incoming webhooks of Slack, and workflows of Microsoft Teams. Neither checks a signature.

use http::StatusCode;
use serde_json::Value;

use super::call::{Answer, Call};

/// A workflow's address lies at one of these; there are more.
const WORKFLOWS: [&str; 2] = [".logic.azure.com", ".environment.api.powerplatform.com"];

pub(super) fn plays(host: &str) -> bool {
    host == "hooks.slack.com" || is_workflow(host)
}

fn is_workflow(host: &str) -> bool {
    // An address of a workflow names its port.
    let host = host.strip_suffix(":443").unwrap_or(host);
    WORKFLOWS.iter().any(|suffix| host.ends_with(suffix))
}

pub(super) fn answer(call: &Call) -> Answer {
    if is_workflow(&call.host) { teams(call) } else { slack(call) }
}

/// Words in plain text, and no JSON.
fn slack(call: &Call) -> Answer {
    let (status, word) = match serde_json::from_slice::<Value>(&call.body) {
        _ if !call.path.starts_with("/services/") => (StatusCode::NOT_FOUND, "no_service"),
        Err(_) => (StatusCode::BAD_REQUEST, "invalid_payload"),
        Ok(body) if body["text"].as_str().is_none_or(str::is_empty) && !body["blocks"].is_array() => {
            (StatusCode::BAD_REQUEST, "no_text")
        }
        Ok(_) => (StatusCode::OK, "ok"),
    };
    Answer::text(status, word)
}

/// 202 says that the flow has begun, and nothing more.
fn teams(call: &Call) -> Answer {
    if call.query.find("sig").is_none() {
        return Answer::empty(StatusCode::UNAUTHORIZED);
    }
    match serde_json::from_slice::<Value>(&call.body) {
        Ok(body) if body["type"] == "message" && body["attachments"].is_array() => Answer::empty(StatusCode::ACCEPTED),
        _ => Answer::empty(StatusCode::BAD_REQUEST),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Scene;

    #[tokio::test]
    async fn slack_answers_in_words_and_teams_in_silence() {
        let scene = Scene::open().await;
        let hook = "/hooks.slack.com/services/T0/B0/x";
        for (path, body, status, word) in [
            (hook, r#"{"text":"hello"}"#, 200, "ok"),
            (hook, r#"{"txt":"hello"}"#, 400, "no_text"),
            (hook, "hello", 400, "invalid_payload"),
            ("/hooks.slack.com/elsewhere", "{}", 404, "no_service"),
        ] {
            let reply = scene.send(path, body, &[]).await;
            assert_eq!((reply.status, reply.text.as_str()), (status, word), "{path} {body}");
        }
        let flow = "/prod-1.westeurope.logic.azure.com/workflows/1/triggers/manual/paths/invoke";
        let card = r#"{"type":"message","attachments":[]}"#;
        for (path, body, status) in
            [(format!("{flow}?sig=s"), card, 202), (format!("{flow}?sig=s"), "{}", 400), (flow.to_owned(), card, 401)]
        {
            let reply = scene.send(&path, body, &[]).await;
            assert_eq!((reply.status, reply.text.as_str()), (status, ""), "{path} {body}");
        }
    }
}

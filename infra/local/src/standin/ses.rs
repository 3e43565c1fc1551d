//! Amazon SES, as far as a letter is sent by it: `SendEmail` of its version 2. Every sender is verified here but those at
//! `unverified.example`; the account is out of the sandbox.

use http::StatusCode;
use serde_json::{Value, json};

use super::call::{Answer, Call};

/// The most recipients of a letter, and the most headers of its own.
const RECIPIENTS: usize = 50;
const HEADERS: usize = 15;

pub(super) fn plays(host: &str) -> bool {
    host.starts_with("email.") && host.ends_with(".amazonaws.com")
}

pub(super) fn answer(call: &Call) -> Answer {
    let sent = match call.target() {
        ("POST", "/v2/email/outbound-emails") => send(call),
        _ => Err((StatusCode::NOT_FOUND, "UnknownOperationException", "")),
    };
    match sent {
        Ok(id) => Answer::json(StatusCode::OK, &json!({ "MessageId": id })),
        Err((status, name, message)) => {
            Answer::json(status, &json!({ "message": message })).header("x-amzn-errortype", name)
        }
    }
}

fn send(call: &Call) -> Result<String, (StatusCode, &'static str, &'static str)> {
    let bad = |message| (StatusCode::BAD_REQUEST, "BadRequestException", message);
    if !call.header("authorization").is_some_and(|signed| signed.contains("/ses/aws4_request")) {
        return Err((StatusCode::FORBIDDEN, "MissingAuthenticationTokenException", "Missing Authentication Token"));
    }
    let letter: Value = serde_json::from_slice(&call.body).map_err(|_| bad("The body is not JSON"))?;
    let (to, simple) = (&letter["Destination"]["ToAddresses"], &letter["Content"]["Simple"]);
    let to = to.as_array().filter(|to| (1..=RECIPIENTS).contains(&to.len())).ok_or(bad("Recipient count is wrong"))?;
    let is_address = |text: &str| text.is_ascii() && text.split_once('@').is_some_and(|(_, domain)| !domain.is_empty());
    if !to.iter().all(|one| one.as_str().is_some_and(is_address)) {
        return Err(bad("Missing final '@domain'"));
    }
    let is_text = |text: &Value| text["Data"].as_str().is_some_and(|text| !text.is_empty());
    if !is_text(&simple["Subject"]) || !(is_text(&simple["Body"]["Text"]) || is_text(&simple["Body"]["Html"])) {
        return Err(bad("Subject and a body are required"));
    }
    if simple["Headers"].as_array().is_some_and(|headers| headers.len() > HEADERS) {
        return Err(bad("Too many headers"));
    }
    match letter["FromEmailAddress"].as_str() {
        Some(from) if is_address(from) && !from.ends_with("@unverified.example") => {
            Ok(format!("0100{}-000000", uuid::Uuid::new_v4()))
        }
        _ => Err((StatusCode::BAD_REQUEST, "MessageRejected", "Email address is not verified.")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::Scene;

    const PATH: &str = "/email.eu-central-1.amazonaws.com/v2/email/outbound-emails";

    #[tokio::test]
    async fn a_letter_is_taken_and_what_is_wrong_with_one_is_said_as_ses_does() {
        let scene = Scene::open().await;
        let signed =
            [("authorization", "AWS4-HMAC-SHA256 Credential=k/20261121/eu-central-1/ses/aws4_request, Signature=0")];
        let letter = |from: &str, to: &[&str], subject: &str| {
            let simple = json!({ "Subject": { "Data": subject }, "Body": { "Text": { "Data": "text" } } });
            json!({ "FromEmailAddress": from, "Destination": { "ToAddresses": to }, "Content": { "Simple": simple } })
        };
        let to = ["a@b.example"];
        for (body, status, error) in [
            (letter("x@crossdock.example", &to, "s"), 200, ""),
            (letter("x@unverified.example", &to, "s"), 400, "MessageRejected"),
            (letter("x@crossdock.example", &["ü@b.example"], "s"), 400, "BadRequestException"),
            (letter("x@crossdock.example", &[], "s"), 400, "BadRequestException"),
            (letter("x@crossdock.example", &to, ""), 400, "BadRequestException"),
        ] {
            let reply = scene.send(PATH, &body.to_string(), &signed).await;
            assert_eq!((reply.status, reply.header("x-amzn-errortype")), (status, error), "{body}");
        }
        assert_eq!(scene.send(PATH, "{}", &[]).await.status, 403, "nobody has signed it");
    }
}

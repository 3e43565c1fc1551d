//! An event as a message for people: a line, and what is to be known first.

use serde_json::{Value, json};

use super::{Content, Event};

/// So long is the text of a section at Slack (3,000 characters), with room for its escapes.
const LONGEST: usize = 500;

/// What is said of an event.
pub struct Message {
    title: String,
    facts: Vec<(String, String)>,
}

impl Message {
    /// That of an event.
    pub fn of(event: &Event) -> Self {
        let fact = |name: &str, value: String| (name.to_owned(), value);
        let (title, facts) = match &event.content {
            Content::Alert { title, facts, .. } => (title.clone(), facts.clone()),
            Content::Booking { table, .. } => (event.event_type.clone(), vec![fact("Table", table.clone())]),
            Content::Automation { template, .. } => {
                (event.event_type.clone(), vec![fact("Template", template.clone())])
            }
        };
        let facts = facts.into_iter().map(|(name, value)| (name, short(&value)));
        Self { title: short(&title), facts: facts.collect() }
    }

    /// The body that an incoming webhook of Slack takes: `text` for where no blocks are shown, and blocks.
    pub fn slack(&self) -> String {
        let title = escaped(&self.title);
        let field = |(name, value): &(String, String)| json!({ "type": "mrkdwn", "text": format!("*{}*\n{}", escaped(name), escaped(value)) });
        let mut blocks = vec![json!({ "type": "section", "text": { "type": "mrkdwn", "text": title } })];
        if !self.facts.is_empty() {
            // A section has ten fields at most.
            blocks
                .push(json!({ "type": "section", "fields": self.facts.iter().take(10).map(field).collect::<Value>() }));
        }
        json!({ "text": title, "blocks": blocks }).to_string()
    }

    /// The body that a workflow of Microsoft Teams takes: an Adaptive Card of version 1.4 in its envelope.
    pub fn teams(&self) -> String {
        let fact = |(name, value): &(String, String)| json!({ "title": name, "value": value });
        json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": null,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.4",
                    "body": [
                        { "type": "TextBlock", "size": "Medium", "weight": "Bolder", "text": self.title, "wrap": true },
                        { "type": "FactSet", "facts": self.facts.iter().map(fact).collect::<Value>() },
                    ],
                    "msteams": { "width": "Full" },
                },
            }],
        })
        .to_string()
    }
}

/// The first characters of a text.
fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Slack reads `&`, `<` and `>` as its own, and nothing else.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        Message { title: "Intake & <Mail>: \"25\" of 40".into(), facts: vec![("Scenario".into(), "A > B".into())] }
    }

    #[test]
    fn slack_is_sent_text_and_blocks_without_its_own_signs() {
        let body: Value = serde_json::from_str(&message().slack()).unwrap();
        assert_eq!(body["text"], "Intake &amp; &lt;Mail&gt;: \"25\" of 40");
        assert_eq!(body["blocks"][1]["fields"][0]["text"], "*Scenario*\nA &gt; B");
    }

    #[test]
    fn teams_is_sent_a_card() {
        let body: Value = serde_json::from_str(&message().teams()).unwrap();
        let card = &body["attachments"][0]["content"];
        assert_eq!(
            (&card["version"], &card["body"][0]["text"]),
            (&json!("1.4"), &json!("Intake & <Mail>: \"25\" of 40"))
        );
        assert_eq!(card["body"][1]["facts"][0], json!({ "title": "Scenario", "value": "A > B" }));
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(short(&"ü".repeat(900)).chars().count(), LONGEST + 1);
        assert_eq!(short("ü"), "ü");
    }
}

//! An event as a message for people: a line, and what is to be known first.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Content, Event};

/// So long is the text of a section at Slack (3,000 characters), with room for its escapes.
const LONGEST: usize = 500;
/// So long is the subject of an e-mail.
const LONGEST_SUBJECT: usize = 200;

/// What is said of an event.
pub struct Message {
    title: String,
    facts: Vec<(String, String)>,
    /// What it can be found by.
    ids: Vec<(&'static str, String)>,
}

/// An e-mail: the body of what is delivered as one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email {
    /// One line, at most 200 characters.
    pub subject: String,
    /// Plain text.
    pub text: String,
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
        let of_content = match &event.content {
            Content::Alert { alert, .. } => Some(("Alert", alert.to_string())),
            Content::Automation { automation, .. } => Some(("Automation", automation.to_string())),
            Content::Booking { .. } => None,
        };
        let ids = [
            ("Type", event.event_type.clone()),
            ("Time", event.time().to_string()),
            ("Event", event.id.to_string()),
            ("Trace", event.trace.to_string()),
        ];
        Self { title: short(&title), facts: facts.collect(), ids: of_content.into_iter().chain(ids).collect() }
    }

    /// Subject and text of an e-mail. Each value stands in one line, so that none can pass for another's.
    pub fn email(&self) -> Email {
        let facts = self.facts.iter().map(|(name, value)| format!("{}: {}", line(name), line(value)));
        let ids = self.ids.iter().map(|(name, value)| format!("{name}: {}", line(value)));
        let (facts, ids) = (facts.collect::<Vec<_>>().join("\n"), ids.collect::<Vec<_>>().join("\n"));
        let parts = [line(&self.title), facts, ids, FOOTER.to_owned()];
        Email {
            subject: cut(&line(&self.title), LONGEST_SUBJECT - 1),
            text: parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n") + "\n",
        }
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
        let fact = |(name, value): &(String, String)| json!({ "title": name, "value": plain(value) });
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
                        { "type": "TextBlock", "size": "Medium", "weight": "Bolder", "text": plain(&self.title), "wrap": true },
                        { "type": "FactSet", "facts": self.facts.iter().map(fact).collect::<Value>() },
                    ],
                    "msteams": { "width": "Full" },
                },
            }],
        })
        .to_string()
    }
}

/// Why somebody gets an e-mail whom nobody has asked.
const FOOTER: &str = "Crossdock sends you this because your address was given for notices of alerts.";

/// The first characters of a text.
fn short(text: &str) -> String {
    cut(text, LONGEST)
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// In one line, without what a terminal or a mail server could take for an order.
fn line(text: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    text.split(breaks).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A card reads a part of Markdown: without this a name could be a link.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '[' | ']' | '*' | '_') {
            plain.push('\\');
        }
        plain.push(c);
    }
    plain
}

/// Slack reads `&`, `<` and `>` as its own, and nothing else.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        Message {
            title: "Intake & <Mail>: \"25\" of 40".into(),
            facts: vec![("Scenario".into(), "A > B".into())],
            ids: vec![("Event", "evt_1".into())],
        }
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
    fn an_e_mail_is_a_subject_and_plain_text() {
        let Email { subject, text } = message().email();
        assert_eq!(subject, "Intake & <Mail>: \"25\" of 40");
        assert_eq!(text, format!("{subject}\n\nScenario: A > B\n\nEvent: evt_1\n\n{FOOTER}\n"));
    }

    #[test]
    fn a_subject_is_one_short_line_and_no_value_passes_for_another() {
        let odd = Message {
            title: format!("One\r\nBcc: all@example.com\u{2028}{}", "ü".repeat(300)),
            facts: vec![("Scenario\n".into(), "A\nEvent: evt_2\t\u{1b}[31m".into())],
            ids: vec![],
        };
        let Email { subject, text } = odd.email();
        assert!(subject.starts_with("One Bcc: all@example.com ü") && subject.chars().count() == 200, "{subject}");
        assert!(text.contains("\n\nScenario: A Event: evt_2 [31m\n\n"), "{text}");
    }

    #[test]
    fn a_card_has_no_links_and_no_emphasis_of_others() {
        assert_eq!(
            plain(r"[Sign in](https://evil.example) a_b *c* \"),
            r"\[Sign in\](https://evil.example) a\_b \*c\* \\"
        );
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(short(&"ü".repeat(900)).chars().count(), LONGEST + 1);
        assert_eq!(short("ü"), "ü");
    }
}

//! The templates that automations are made from. A change of what one expects raises its version.

/// A ready-made automation.
pub struct Template {
    /// Its id, which callers use.
    pub id: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// What it is, in a sentence or two.
    pub description: &'static str,
    /// What starts it.
    pub trigger: &'static str,
    /// What it does.
    pub action: &'static str,
    /// What it is good for.
    pub use_case: &'static str,
    /// Raised when `example` changes its form.
    pub version: u32,
    /// What its webhook is sent, as JSON.
    pub example: &'static str,
}

/// The template of that id.
pub fn find(id: &str) -> Option<&'static Template> {
    TEMPLATES.iter().find(|template| template.id == id)
}

/// Every template, in the order in which they are shown.
pub const TEMPLATES: [Template; 6] = [
    Template {
        id: "lead-to-crm",
        name: "Sync New Leads to CRM",
        description: "Sends each new lead to a Make.com scenario that creates or updates it in your CRM.",
        trigger: "Lead created",
        action: "Send lead data to CRM via webhook",
        use_case: "Real-time CRM synchronization",
        version: 1,
        example: r#"{
            "event": "lead.created",
            "lead": {
                "id": "lead-1001", "first_name": "Ana", "last_name": "Sousa", "email": "ana@example.com",
                "phone": "+351210000000", "company": "Harbour Inn", "source": "website"
            }
        }"#,
    },
    Template {
        id: "enrich-lead",
        name: "Enrich Lead Data",
        description: "Sends each new lead to a scenario that looks up its company and adds what it finds.",
        trigger: "Lead created",
        action: "Enrich with company data from Clearbit/Hunter",
        use_case: "Automatic data enrichment",
        version: 1,
        example: r#"{
            "event": "lead.created",
            "lead": { "id": "lead-1001", "email": "ana@example.com", "company": "Harbour Inn", "domain": "example.com" }
        }"#,
    },
    Template {
        id: "lead-notification",
        name: "Real-time Lead Notifications",
        description: "Tells the sales team at once, in the channel of your choice, that a valuable lead has come in.",
        trigger: "High-value lead created",
        action: "Send notification to Slack/Teams/Email",
        use_case: "Instant sales team alerts",
        version: 1,
        example: r#"{
            "event": "lead.high_value",
            "lead": { "id": "lead-1001", "name": "Ana Sousa", "company": "Harbour Inn", "value": "25000.00", "currency": "EUR" },
            "notify": { "channel": "sales", "emails": ["sales@example.com"] }
        }"#,
    },
    Template {
        id: "qualify-lead",
        name: "Auto-qualify Leads (BANT)",
        description: "Sends each submitted form to a scenario that scores budget, authority, need and timeline.",
        trigger: "Form submitted",
        action: "Analyze and score lead",
        use_case: "Automatic lead qualification",
        version: 1,
        example: r#"{
            "event": "form.submitted",
            "lead": { "id": "lead-1001", "email": "ana@example.com" },
            "answers": {
                "budget": "10000-25000", "authority": "decision maker", "need": "booking automation", "timeline": "this quarter"
            }
        }"#,
    },
    Template {
        id: "distribute-lead",
        name: "Smart Lead Distribution",
        description: "Sends each new lead to a scenario that assigns it to the sales rep of its territory.",
        trigger: "Lead created",
        action: "Route to sales rep based on territory",
        use_case: "Fair lead distribution",
        version: 1,
        example: r#"{
            "event": "lead.created",
            "lead": { "id": "lead-1001", "email": "ana@example.com", "country": "PT", "region": "Lisbon", "postcode": "1100-148" }
        }"#,
    },
    Template {
        id: "weekly-report",
        name: "Weekly Lead Report",
        description: "Sends the week's figures to a scenario that makes a report of them and mails it.",
        trigger: "Scheduled (weekly)",
        action: "Generate and send report",
        use_case: "Performance tracking",
        version: 1,
        example: r#"{
            "event": "report.weekly",
            "week": { "from": "2026-11-09", "to": "2026-11-15" },
            "leads": { "created": 120, "qualified": 46, "converted": 9 },
            "recipients": ["owner@example.com"]
        }"#,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_an_object_that_names_its_event() {
        for template in TEMPLATES {
            let example: serde_json::Value = serde_json::from_str(template.example).unwrap();
            assert!(example["event"].is_string(), "{}", template.id);
        }
    }

    #[test]
    fn ids_are_unique() {
        for template in TEMPLATES {
            assert_eq!(find(template.id).unwrap().name, template.name);
        }
    }
}

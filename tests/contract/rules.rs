//! What the template promises for every function.

use std::collections::BTreeSet;

use tests::template::{self, untagged};

#[test]
fn no_function_may_do_everything() {
    for function in template::functions(&template::read()).values() {
        for action in &function.actions {
            assert!(!action.contains('*'), "{}: {action}", function.name);
            assert_ne!(action, "dynamodb:Scan", "{}", function.name);
        }
    }
}

#[test]
fn a_queue_hides_a_message_six_times_as_long_as_its_function_may_work() {
    let template = template::read();
    for function in template::functions(&template).values() {
        for (queue, singly) in &function.queues {
            assert!(singly, "{}: only failed messages come back", function.name);
            let hidden =
                template["Resources"][queue.as_str()]["Properties"]["VisibilityTimeout"].as_u64().unwrap_or(30);
            assert!(hidden >= 6 * function.timeout, "{queue}: {hidden} s for a time-out of {} s", function.timeout);
        }
    }
}

#[test]
fn every_queue_that_is_worked_on_has_a_way_out_for_poison_and_every_way_out_an_alarm() {
    let template = template::read();
    let observed = untagged_all(&template["Resources"]["Observability"]["Properties"]["Parameters"]);
    let mut dead = Vec::new();
    for (name, resource) in template["Resources"].as_mapping().unwrap() {
        if resource["Type"] == "AWS::SQS::Queue" {
            let name = name.as_str().unwrap();
            let letters = untagged(&resource["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]);
            dead.extend(letters.strip_suffix(".Arn").map(ToOwned::to_owned));
            assert!(observed.iter().any(|seen| seen == &format!("{name}.QueueName")), "{name} has no alarm");
            assert!(
                resource["Properties"]["SqsManagedSseEnabled"].as_bool().unwrap_or_default(),
                "{name} is not encrypted"
            );
        }
    }
    assert_eq!(dead, ["DeadLetterQueue", "DeliveryJobsDead"]);

    let alarmed = alarmed(&template::observability());
    for (parameter, value) in template["Resources"]["Observability"]["Properties"]["Parameters"].as_mapping().unwrap() {
        let (parameter, value) = (parameter.as_str().unwrap(), untagged(value));
        assert!(!value.ends_with(".QueueName") || alarmed.contains(parameter), "{parameter} is watched by no alarm");
    }
}

/// The parameters that some alarm of a template watches, by its dimensions.
fn alarmed(template: &serde_yaml_ng::Value) -> BTreeSet<String> {
    let resources = template["Resources"].as_mapping().unwrap().values();
    resources
        .filter(|resource| resource["Type"] == "AWS::CloudWatch::Alarm")
        .filter_map(|alarm| alarm["Properties"]["Dimensions"].as_sequence())
        .flatten()
        .map(|dimension| untagged(&dimension["Value"]))
        .collect()
}

fn untagged_all(values: &serde_yaml_ng::Value) -> Vec<String> {
    values.as_mapping().unwrap().values().map(untagged).collect()
}

#[test]
fn people_are_asked_for_their_token_everywhere_but_where_something_else_is_proof() {
    let mut open: Vec<String> = template::functions(&template::read())
        .values()
        .flat_map(|function| function.routes.iter())
        .filter(|(_, _, people)| !people)
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();
    open.sort();
    assert_eq!(
        open,
        [
            "GET /api/cron/aggregate-metrics",                       // the cron secret
            "GET /api/openapi.json",                                 // public
            "GET /api/v1/crm-integration/oauth/callback/{provider}", // a state that is used once
            "GET /api/webhooks/booking-events",                      // an API key
            "POST /api/make-operations/sync",                        // an API key
            "POST /api/make-operations/webhook",                     // an API key
            "POST /api/v1/activity",                                 // an API key
            "POST /api/v1/traces/{trace_id}/outcome",                // a signed link
            "POST /api/v1/webhook/automation/{id}",                  // a secret or a signature
            "POST /api/webhooks/booking-events",                     // an API key
        ]
    );
}

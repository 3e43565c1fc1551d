//! `template.yaml`, read for its functions.

use std::collections::BTreeMap;

use serde_yaml_ng::Value;

/// A function of the template.
#[derive(Debug)]
pub struct Function {
    /// Its logical id.
    pub name: String,
    /// Its binary.
    pub binary: String,
    /// Its time-out in seconds.
    pub timeout: u64,
    /// Its routes: method and path, and whether people's tokens are checked.
    pub routes: Vec<(String, String, bool)>,
    /// Its queues: their logical ids, and whether failed items come back one by one.
    pub queues: Vec<(String, bool)>,
    /// The actions that its policies allow.
    pub actions: Vec<String>,
}

/// The template, its tags kept.
pub fn read() -> Value {
    parsed("template.yaml")
}

/// The nested template of alarms, its tags kept.
pub fn observability() -> Value {
    parsed("infra/observability.yaml")
}

fn parsed(file: &str) -> Value {
    let text = std::fs::read_to_string(crate::top().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Its functions, by logical id.
pub fn functions(template: &Value) -> BTreeMap<String, Function> {
    let default = template["Globals"]["Function"]["Timeout"].as_u64().expect("a time-out for all");
    let resources = template["Resources"].as_mapping().expect("resources");
    resources
        .iter()
        .filter(|(_, resource)| resource["Type"] == "AWS::Serverless::Function")
        .map(|(name, resource)| {
            let name = name.as_str().expect("a logical id").to_owned();
            (name.clone(), function(name, &resource["Properties"], default))
        })
        .collect()
}

fn function(name: String, properties: &Value, default: u64) -> Function {
    let code = properties["CodeUri"].as_str().unwrap_or_else(|| panic!("{name} has no CodeUri"));
    let binary = code.strip_prefix("target/lambda/").and_then(|rest| rest.strip_suffix('/'));
    let mut function = Function {
        binary: binary.unwrap_or_else(|| panic!("{name}: CodeUri {code}")).into(),
        timeout: properties["Timeout"].as_u64().unwrap_or(default),
        routes: Vec::new(),
        queues: Vec::new(),
        actions: Vec::new(),
        name,
    };
    for (_, event) in properties["Events"].as_mapping().into_iter().flatten() {
        let of = &event["Properties"];
        let text = |field: &str| of[field].as_str().unwrap_or_default().to_owned();
        match event["Type"].as_str() {
            Some("HttpApi") => {
                let open = of["Auth"]["Authorizer"] == "NONE";
                function.routes.push((text("Method"), text("Path"), !open));
            }
            Some("SQS") => {
                let singly = of["FunctionResponseTypes"]
                    .as_sequence()
                    .is_some_and(|types| types.contains(&"ReportBatchItemFailures".into()));
                function.queues.push((untagged(&of["Queue"]).trim_end_matches(".Arn").into(), singly));
            }
            _ => {}
        }
    }
    for policy in properties["Policies"].as_sequence().into_iter().flatten() {
        for statement in policy["Statement"].as_sequence().into_iter().flatten() {
            match &statement["Action"] {
                Value::Sequence(all) => function.actions.extend(all.iter().map(untagged)),
                one => function.actions.push(untagged(one)),
            }
        }
    }
    function
}

/// The text of a value, whatever its tag.
pub fn untagged(value: &Value) -> String {
    match value {
        Value::Tagged(tagged) => untagged(&tagged.value),
        value => value.as_str().unwrap_or_default().into(),
    }
}

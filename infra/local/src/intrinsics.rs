//! The intrinsic functions of `CloudFormation`, as far as a processed SAM template uses them around its API.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// What names in a deployed template stand for.
#[derive(Debug, Default)]
pub struct Scope {
    /// Parameter values.
    pub parameters: BTreeMap<String, String>,
    /// Resources by logical id.
    pub resources: BTreeMap<String, Resource>,
    /// The template's `Conditions` section.
    pub conditions: Map<String, Value>,
    /// The stack's name.
    pub stack_name: String,
    /// The account it is deployed to.
    pub account: String,
    /// The region it is deployed to.
    pub region: String,
}

/// A deployed resource.
#[derive(Clone, Debug, Default)]
pub struct Resource {
    /// As in the template: `AWS::Lambda::Function`.
    pub kind: String,
    /// What `Ref` gives.
    pub physical_id: String,
    /// A nested stack's outputs.
    pub outputs: BTreeMap<String, String>,
}

impl Scope {
    /// The value with every intrinsic function worked out.
    pub fn resolve(&self, value: &Value) -> Result<Value> {
        match value {
            Value::Object(fields) => match single(fields) {
                Some((name, argument)) if is_intrinsic(name) => self.apply(name, argument),
                _ => {
                    let mut resolved = Map::new();
                    for (name, field) in fields {
                        match self.resolve(field)? {
                            Value::Null => {}
                            field => {
                                resolved.insert(name.clone(), field);
                            }
                        }
                    }
                    Ok(Value::Object(resolved))
                }
            },
            Value::Array(items) => {
                Ok(Value::Array(self.all(items)?.into_iter().filter(|item| !item.is_null()).collect()))
            }
            plain => Ok(plain.clone()),
        }
    }

    fn all(&self, items: &[Value]) -> Result<Vec<Value>> {
        items.iter().map(|item| self.resolve(item)).collect()
    }

    fn apply(&self, name: &str, argument: &Value) -> Result<Value> {
        let wrong = || Error::new(format!("cannot work out {name} of {argument}"));
        match name {
            "Ref" => self.reference(argument.as_str().ok_or_else(wrong)?),
            "Condition" => self.condition(argument.as_str().ok_or_else(wrong)?).map(Value::Bool),
            "Fn::GetAtt" => match argument {
                Value::String(path) => {
                    let (resource, attribute) = path.split_once('.').ok_or_else(wrong)?;
                    self.attribute(resource, attribute)
                }
                Value::Array(path) => match path.as_slice() {
                    [Value::String(resource), Value::String(attribute)] => self.attribute(resource, attribute),
                    _ => Err(wrong()),
                },
                _ => Err(wrong()),
            },
            "Fn::Sub" => self.substitute(argument).map(Value::String),
            "Fn::If" => match list(argument) {
                Some([Value::String(condition), yes, no]) => {
                    self.resolve(if self.condition(condition)? { yes } else { no })
                }
                _ => Err(wrong()),
            },
            "Fn::Equals" => match list(argument) {
                Some([left, right]) => Ok(Value::Bool(self.resolve(left)? == self.resolve(right)?)),
                _ => Err(wrong()),
            },
            "Fn::Not" => match list(argument) {
                Some([inner]) => Ok(Value::Bool(self.resolve(inner)? != Value::Bool(true))),
                _ => Err(wrong()),
            },
            "Fn::And" | "Fn::Or" => {
                let parts = self.all(list(argument).ok_or_else(wrong)?)?;
                let mut truths = parts.iter().map(|part| part == &Value::Bool(true));
                Ok(Value::Bool(if name == "Fn::And" { truths.all(|truth| truth) } else { truths.any(|truth| truth) }))
            }
            "Fn::Join" => match list(argument) {
                Some([Value::String(glue), parts]) => {
                    let Value::Array(parts) = self.resolve(parts)? else {
                        return Err(wrong());
                    };
                    let parts: Option<Vec<&str>> = parts.iter().map(Value::as_str).collect();
                    Ok(Value::String(parts.ok_or_else(wrong)?.join(glue)))
                }
                _ => Err(wrong()),
            },
            "Fn::Split" => match list(argument) {
                Some([Value::String(glue), whole]) => match self.resolve(whole)? {
                    Value::String(whole) => Ok(whole.split(glue.as_str()).map(Value::from).collect()),
                    _ => Err(wrong()),
                },
                _ => Err(wrong()),
            },
            "Fn::Select" => match list(argument) {
                Some([index, items]) => {
                    let index = self.resolve(index)?;
                    let index = index.as_u64().or_else(|| index.as_str()?.parse().ok()).ok_or_else(wrong)?;
                    let items = self.resolve(items)?;
                    usize::try_from(index).ok().and_then(|index| items.get(index).cloned()).ok_or_else(wrong)
                }
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }

    fn reference(&self, name: &str) -> Result<Value> {
        let known = match name {
            "AWS::Region" => Some(self.region.clone()),
            "AWS::AccountId" => Some(self.account.clone()),
            "AWS::Partition" => Some("aws".to_owned()),
            "AWS::URLSuffix" => Some("amazonaws.com".to_owned()),
            "AWS::StackName" => Some(self.stack_name.clone()),
            "AWS::NoValue" => return Ok(Value::Null),
            _ => self
                .parameters
                .get(name)
                .cloned()
                .or_else(|| self.resources.get(name).map(|resource| resource.physical_id.clone())),
        };
        known.map(Value::String).ok_or_else(|| Error::new(format!("the template refers to {name}, which is nothing")))
    }

    fn attribute(&self, name: &str, attribute: &str) -> Result<Value> {
        let unknown = || Error::new(format!("cannot work out {name}.{attribute}"));
        let resource = self.resources.get(name).ok_or_else(unknown)?;
        if let Some(output) = attribute.strip_prefix("Outputs.") {
            let value = resource.outputs.get(output).ok_or_else(unknown)?;
            return Ok(Value::String(value.clone()));
        }
        match (resource.kind.as_str(), attribute) {
            ("AWS::Lambda::Function", "Arn") => Ok(Value::String(format!(
                "arn:aws:lambda:{}:{}:function:{}",
                self.region, self.account, resource.physical_id
            ))),
            _ => Err(unknown()),
        }
    }

    fn condition(&self, name: &str) -> Result<bool> {
        let condition =
            self.conditions.get(name).ok_or_else(|| Error::new(format!("the template has no condition {name}")))?;
        Ok(self.resolve(condition)? == Value::Bool(true))
    }

    fn substitute(&self, argument: &Value) -> Result<String> {
        let wrong = || Error::new(format!("cannot work out Fn::Sub of {argument}"));
        let (text, names) = match argument {
            Value::String(text) => (text, None),
            Value::Array(parts) => match parts.as_slice() {
                [Value::String(text), Value::Object(names)] => (text, Some(names)),
                _ => return Err(wrong()),
            },
            _ => return Err(wrong()),
        };
        let mut done = String::new();
        let mut rest = text.as_str();
        while let Some(start) = rest.find("${") {
            let end = rest[start..].find('}').ok_or_else(wrong)? + start;
            done.push_str(&rest[..start]);
            let name = rest[start + 2..end].trim();
            if let Some(literal) = name.strip_prefix('!') {
                done.push_str(&format!("${{{literal}}}"));
            } else {
                let value = match names.and_then(|names| names.get(name)) {
                    Some(value) => self.resolve(value)?,
                    None => match name.split_once('.') {
                        Some((resource, attribute)) => self.attribute(resource, attribute)?,
                        None => self.reference(name)?,
                    },
                };
                done.push_str(value.as_str().ok_or_else(wrong)?);
            }
            rest = &rest[end + 1..];
        }
        done.push_str(rest);
        Ok(done)
    }
}

fn is_intrinsic(name: &str) -> bool {
    name == "Ref" || name == "Condition" || name.starts_with("Fn::")
}

fn single(fields: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut fields = fields.iter();
    match (fields.next(), fields.next()) {
        (Some((name, value)), None) => Some((name, value)),
        _ => None,
    }
}

fn list(value: &Value) -> Option<&[Value]> {
    value.as_array().map(Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scope() -> Scope {
        let function =
            Resource { kind: "AWS::Lambda::Function".into(), physical_id: "stack-Get-1".into(), ..Resource::default() };
        let nested = Resource {
            kind: "AWS::CloudFormation::Stack".into(),
            outputs: BTreeMap::from([("Issuer".into(), "https://issuer".into())]),
            ..Resource::default()
        };
        Scope {
            parameters: BTreeMap::from([
                ("Origins".into(), "http://a,http://b".into()),
                ("OidcIssuer".into(), String::new()),
            ]),
            resources: BTreeMap::from([("Get".into(), function), ("Identity".into(), nested)]),
            conditions: json!({
                "OwnPool": {"Fn::Equals": [{"Ref": "OidcIssuer"}, ""]},
                "Foreign": {"Fn::Not": [{"Condition": "OwnPool"}]},
            })
            .as_object()
            .cloned()
            .unwrap(),
            stack_name: "crossdock".into(),
            account: "000000000000".into(),
            region: "us-east-1".into(),
        }
    }

    #[track_caller]
    fn resolves(value: Value, to: Value) {
        assert_eq!(scope().resolve(&value).unwrap(), to);
    }

    #[test]
    fn an_integration_uri_names_the_deployed_function() {
        resolves(
            json!({"Fn::Sub": "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/functions/${Get.Arn}/invocations"}),
            json!(
                "arn:aws:apigateway:us-east-1:lambda:path/functions/arn:aws:lambda:us-east-1:000000000000:function:stack-Get-1/invocations"
            ),
        );
    }

    #[test]
    fn a_condition_chooses_the_issuer() {
        let issuer = |condition| json!({"Fn::If": [condition, {"Fn::GetAtt": ["Identity", "Outputs.Issuer"]}, {"Ref": "OidcIssuer"}]});
        resolves(issuer("OwnPool"), json!("https://issuer"));
        resolves(issuer("Foreign"), json!(""));
    }

    #[test]
    fn a_list_parameter_splits_joins_and_selects() {
        let split = json!({"Fn::Split": [",", {"Ref": "Origins"}]});
        resolves(split.clone(), json!(["http://a", "http://b"]));
        resolves(json!({"Fn::Select": [1, split]}), json!("http://b"));
        resolves(json!({"Fn::Join": ["-", ["a", {"Ref": "AWS::Region"}]]}), json!("a-us-east-1"));
    }

    #[test]
    fn what_has_no_value_disappears() {
        resolves(
            json!({"kept": 1, "gone": {"Ref": "AWS::NoValue"}, "list": [{"Ref": "AWS::NoValue"}]}),
            json!({"kept": 1, "list": []}),
        );
    }

    #[test]
    fn a_literal_dollar_and_own_names_survive_a_substitution() {
        resolves(
            json!({"Fn::Sub": ["${!kept} ${Own}", {"Own": {"Ref": "AWS::StackName"}}]}),
            json!("${kept} crossdock"),
        );
    }

    #[test]
    fn a_name_that_is_nothing_is_an_error_and_not_an_empty_string() {
        let error = scope().resolve(&json!({"Ref": "Missing"})).unwrap_err();
        assert!(error.to_string().contains("Missing"));
    }
}

//! JSON texts, read without losing what they say: numbers keep their digits, texts their escapes.

use std::collections::BTreeMap;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// What lies deeper than this is taken as it is: no row of a database is that deep.
const DEEPEST: u32 = 128;

/// The fields of an object, each as the text that came. Of a name that comes twice, the last counts.
pub type Columns<'a> = BTreeMap<String, &'a RawValue>;

/// The fields of an object, or nothing for what is none.
pub fn columns(text: &str) -> Option<Columns<'_>> {
    serde_json::from_str(text).ok()
}

/// The same JSON in the one form that does not depend on who wrote it: keys sorted at every level, no white space.
/// Numbers and texts stay as they came. What is not JSON stays as it is.
pub fn canonical(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    match serde_json::from_str::<&RawValue>(text) {
        Ok(raw) => write(raw.get(), 0, &mut whole),
        Err(_) => whole.push_str(text),
    }
    whole
}

fn write(text: &str, depth: u32, whole: &mut String) {
    match text.as_bytes().first() {
        Some(b'{') if depth < DEEPEST => {
            let Ok(Members(mut members)) = serde_json::from_str(text) else { return whole.push_str(text) };
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            whole.push('{');
            for (nth, (name, value)) in members.iter().enumerate() {
                if nth > 0 {
                    whole.push(',');
                }
                whole.push_str(&serde_json::Value::from(name.as_str()).to_string());
                whole.push(':');
                write(value.get(), depth + 1, whole);
            }
            whole.push('}');
        }
        Some(b'[') if depth < DEEPEST => {
            let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(text) else { return whole.push_str(text) };
            whole.push('[');
            for (nth, element) in elements.iter().enumerate() {
                if nth > 0 {
                    whole.push(',');
                }
                write(element.get(), depth + 1, whole);
            }
            whole.push(']');
        }
        _ => whole.push_str(text),
    }
}

/// The members of an object, in their order, those of the same name included.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut all = Vec::new();
                while let Some(member) = map.next_entry()? {
                    all.push(member);
                }
                Ok(all)
            }
        }

        deserializer.deserialize_map(Each).map(Members)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;

    #[test]
    fn who_wrote_it_makes_no_difference() {
        let by_trigger =
            r#"{"id": 7, "tags": ["b", "a"], "price": 120.50, "meta": {"b": {"y": 1, "x": null}, "a": "é \n"}}"#;
        let by_interface = "{\"meta\":{\"a\":\"é \\n\",\"b\":{\"x\":null,\"y\":1}},\n\t\"price\":120.50,\"tags\":[\"b\",\"a\"],\"id\":7}";

        assert_eq!(canonical(by_trigger), canonical(by_interface));
        assert_eq!(
            canonical(by_trigger),
            r#"{"id":7,"meta":{"a":"é \n","b":{"x":null,"y":1}},"price":120.50,"tags":["b","a"]}"#
        );
    }

    #[test]
    fn what_is_said_makes_a_difference() {
        for (one, other) in [
            (r#"{"a":1}"#, r#"{"a":2}"#),
            (r#"{"a":1.0}"#, r#"{"a":1.00}"#),
            (r#"{"a":12345678901234567890.1}"#, r#"{"a":12345678901234567890.2}"#),
            (r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#),
            (r#"{"a":{"b":1}}"#, r#"{"a":"{\"b\":1}"}"#),
            (r#"{"a":1,"a":2}"#, r#"{"a":2,"a":1}"#),
            (r#"{"a":null}"#, "{}"),
            ("null", "\"null\""),
        ] {
            assert_ne!(canonical(one), canonical(other), "{one} {other}");
        }
    }

    #[test]
    fn depth_harms_nobody() {
        let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
        assert_eq!(canonical(&deep), deep);
        assert_eq!(canonical("{ not json"), "{ not json");
    }

    /// A value, and the same written by somebody else: another order of keys, and white space.
    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 60, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(".*", inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    fn otherwise(value: &Value, turn: usize, text: &mut String) {
        let space = [" ", "\n", "", "\t "][turn % 4];
        match value {
            Value::Object(members) => {
                let mut all: Vec<_> = members.iter().collect();
                let middle = turn % all.len().max(1);
                all.rotate_left(middle);
                text.push('{');
                for (nth, (name, value)) in all.into_iter().enumerate() {
                    text.push_str(if nth > 0 { "," } else { "" });
                    text.push_str(&format!("{space}{}{space}:{space}", Value::from(name.as_str())));
                    otherwise(value, turn + nth + 1, text);
                    text.push_str(space);
                }
                text.push('}');
            }
            Value::Array(elements) => {
                text.push('[');
                for (nth, element) in elements.iter().enumerate() {
                    text.push_str(if nth > 0 { "," } else { "" });
                    text.push_str(space);
                    otherwise(element, turn + nth + 1, text);
                }
                text.push_str(space);
                text.push(']');
            }
            scalar => text.push_str(&scalar.to_string()),
        }
    }

    proptest! {
        #[test]
        fn one_value_has_one_form(value in value(), turn in 0usize..100) {
            let mut text = String::new();
            otherwise(&value, turn, &mut text);

            let form = canonical(&text);

            prop_assert_eq!(&form, &canonical(&value.to_string()));
            prop_assert_eq!(&form, &canonical(&form));
            prop_assert_eq!(serde_json::from_str::<Value>(&form).unwrap(), value);
        }

        #[test]
        fn two_values_have_two_forms(one in value(), other in value()) {
            prop_assert_eq!(one == other, canonical(&one.to_string()) == canonical(&other.to_string()));
        }
    }
}

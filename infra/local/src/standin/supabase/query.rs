//! A request's query as PostgREST reads it: filters, logic, order and page.
//!
//! At the top level a filter's value is taken as it stands, quotes and commas included; inside `or=(…)` a comma or a
//! parenthesis ends it unless it stands in double quotes.

use super::{super::call::Fields, Failure};

/// What a request asks of a table. Names of columns are not checked yet.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Query {
    /// All of them if nothing is said.
    pub(super) columns: Option<Vec<String>>,
    pub(super) conditions: Vec<Condition>,
    pub(super) order: Vec<Order>,
    pub(super) limit: Option<usize>,
    pub(super) offset: usize,
}

/// What must hold for a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    Test { column: String, test: Test },
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
}

/// What a column is compared with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    Compare(Comparison, String),
    In(Vec<String>),
    Is(Option<bool>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Greater,
    AtLeast,
    Less,
    AtMost,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) column: String,
    pub(super) descending: bool,
    pub(super) nulls_first: bool,
}

impl Query {
    pub(super) fn read(fields: &Fields) -> Result<Self, Failure> {
        let mut query = Query::default();
        for (name, value) in fields.iter() {
            match name {
                "select" => query.columns = columns(value),
                "order" => query.order = orders(value)?,
                "limit" => query.limit = limit(value)?,
                "offset" => query.offset = value.parse().unwrap_or(0),
                "and" | "or" | "not.and" | "not.or" => query.conditions.push(Tree::read(name, value)?),
                column => query.conditions.push(filter(column, value)?),
            }
        }
        Ok(query)
    }
}

fn columns(value: &str) -> Option<Vec<String>> {
    let named: Vec<_> = value.split(',').map(|name| name.trim().to_owned()).collect();
    (!value.is_empty() && !named.iter().any(|name| name == "*")).then_some(named)
}

fn orders(value: &str) -> Result<Vec<Order>, Failure> {
    let one = |term: &str| {
        let mut words = term.trim().split('.');
        let column = words.next().unwrap_or_default().to_owned();
        let mut order = Order { column, descending: false, nulls_first: false };
        let mut nulls = None;
        for word in words {
            match word {
                "asc" => order.descending = false,
                "desc" => order.descending = true,
                "nullsfirst" => nulls = Some(true),
                "nullslast" => nulls = Some(false),
                _ => return Err(unparsed("order", value, "asc, desc, nullsfirst or nullslast")),
            }
        }
        order.nulls_first = nulls.unwrap_or(order.descending);
        Ok(order)
    };
    value.split(',').map(one).collect()
}

fn limit(value: &str) -> Result<Option<usize>, Failure> {
    match value.parse::<i64>() {
        Ok(most) if most < 0 => Err(Failure::range("Limit should be greater than or equal to zero.")),
        most => Ok(most.ok().and_then(|most| most.try_into().ok())),
    }
}

fn filter(column: &str, value: &str) -> Result<Condition, Failure> {
    const EXPECTED: &str = "operator (eq, gt, ...) or negation operator (not)";
    let failed = || unparsed("filter", value, EXPECTED);
    let (negated, test) = match value.strip_prefix("not.") {
        Some(rest) => (true, rest),
        None => (false, value),
    };
    let (operator, operand) = test.split_once('.').ok_or_else(failed)?;
    let test = match operator {
        "in" => {
            let mut tree = Tree { text: operand, at: 0 };
            tree.list().filter(|_| tree.is_over()).map(Test::In).ok_or_else(failed)?
        }
        _ => test_of(operator, operand).ok_or_else(failed)?,
    };
    Ok(wrapped(negated, Condition::Test { column: column.into(), test }))
}

fn test_of(operator: &str, operand: &str) -> Option<Test> {
    let comparison = match operator {
        "eq" => Comparison::Equal,
        "neq" => Comparison::Unequal,
        "gt" => Comparison::Greater,
        "gte" => Comparison::AtLeast,
        "lt" => Comparison::Less,
        "lte" => Comparison::AtMost,
        "is" => {
            return match operand.to_ascii_lowercase().as_str() {
                "null" | "unknown" => Some(Test::Is(None)),
                "true" => Some(Test::Is(Some(true))),
                "false" => Some(Test::Is(Some(false))),
                _ => None,
            };
        }
        _ => return None,
    };
    Some(Test::Compare(comparison, operand.into()))
}

fn wrapped(negated: bool, condition: Condition) -> Condition {
    if negated { Condition::Not(Box::new(condition)) } else { condition }
}

fn unparsed(what: &str, text: &str, expected: &str) -> Failure {
    Failure::new(
        400,
        "PGRST100",
        &format!("\"failed to parse {what} ({text})\" (line 1, column 1)"),
        Some(&format!("unexpected input expecting {expected}")),
    )
}

/// Reads `(a.eq.1,and(b.gt."x,y",not.or(…)))`.
struct Tree<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tree<'a> {
    fn read(operator: &str, text: &'a str) -> Result<Condition, Failure> {
        let mut tree = Tree { text, at: 0 };
        let (negated, operator) = match operator.strip_prefix("not.") {
            Some(rest) => (true, rest),
            None => (false, operator),
        };
        let joined = tree.joined(operator).filter(|_| tree.is_over());
        let failed = || {
            let message = format!("\"failed to parse logic tree ({text})\" (line 1, column {})", tree.at + 1);
            let expected = "unexpected input expecting field name, operator, \",\" or \")\"";
            Failure::new(400, "PGRST100", &message, Some(expected))
        };
        joined.map(|condition| wrapped(negated, condition)).ok_or_else(failed)
    }

    fn joined(&mut self, operator: &str) -> Option<Condition> {
        self.expect("(")?;
        let mut conditions = vec![self.item()?];
        while self.skip(",") {
            conditions.push(self.item()?);
        }
        self.expect(")")?;
        Some(if operator == "or" { Condition::Any(conditions) } else { Condition::All(conditions) })
    }

    fn item(&mut self) -> Option<Condition> {
        self.spaces();
        let negated = self.skip("not.");
        for operator in ["and", "or"] {
            let rest = self.rest();
            if rest.strip_prefix(operator).is_some_and(|rest| rest.trim_start().starts_with('(')) {
                self.at += operator.len();
                return Some(wrapped(negated, self.joined(operator)?));
            }
        }
        let column = self.until(&['.', ',', '(', ')'])?.trim().to_owned();
        self.expect(".")?;
        let turned = self.skip("not.");
        let operator = self.until(&['.', ',', '(', ')'])?;
        self.expect(".")?;
        let test = match operator {
            "in" => Test::In(self.list()?),
            _ => test_of(operator, &self.value()?)?,
        };
        Some(wrapped(negated != turned, Condition::Test { column, test }))
    }

    fn list(&mut self) -> Option<Vec<String>> {
        self.expect("(")?;
        let mut values = vec![self.value()?];
        while self.skip(",") {
            values.push(self.value()?);
        }
        self.expect(")")?;
        Some(values)
    }

    fn value(&mut self) -> Option<String> {
        if !self.rest().trim_start().starts_with('"') {
            let end = self.rest().find([',', ')']).unwrap_or(self.rest().len());
            let value = self.rest()[..end].trim().to_owned();
            self.at += end;
            return Some(value);
        }
        self.expect("\"")?;
        let mut value = String::new();
        let mut letters = self.rest().char_indices();
        loop {
            match letters.next()? {
                (at, '"') => {
                    self.at += at + 1;
                    return Some(value);
                }
                (_, '\\') => value.push(letters.next()?.1),
                (_, letter) => value.push(letter),
            }
        }
    }

    fn until(&mut self, ends: &[char]) -> Option<&'a str> {
        let rest = self.rest();
        let end = rest.find(ends).filter(|end| *end > 0)?;
        self.at += end;
        Some(&rest[..end])
    }

    fn expect(&mut self, sign: &str) -> Option<()> {
        self.spaces();
        self.skip(sign).then_some(())
    }

    fn skip(&mut self, sign: &str) -> bool {
        let found = self.rest().starts_with(sign);
        if found {
            self.at += sign.len();
        }
        found
    }

    fn spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn is_over(&self) -> bool {
        self.rest().trim().is_empty()
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greater(column: &str, value: &str) -> Condition {
        compare(column, Comparison::Greater, value)
    }

    fn compare(column: &str, comparison: Comparison, value: &str) -> Condition {
        Condition::Test { column: column.into(), test: Test::Compare(comparison, value.into()) }
    }

    #[test]
    fn a_cursor_of_two_columns_is_a_tree() {
        let text =
            "(updated_at.gt.2026-12-01T09:30:00.1+00:00,and(updated_at.eq.2026-12-01T09:30:00.1+00:00,id.gt.b1))";
        let at = "2026-12-01T09:30:00.1+00:00";

        let tree = Tree::read("or", text).unwrap();

        let same = Condition::All(vec![compare("updated_at", Comparison::Equal, at), greater("id", "b1")]);
        assert_eq!(tree, Condition::Any(vec![greater("updated_at", at), same]));
    }

    #[test]
    fn quotes_are_signs_in_a_tree_and_letters_at_the_top() {
        let inside = Tree::read("and", r#"(name.gt."a,\"b)",not.or(a.eq.1 , b.not.in.("1","2")))"#).unwrap();
        let top = filter("name", "gt.\"a,b\"").unwrap();

        let list = Condition::Test { column: "b".into(), test: Test::In(vec!["1".into(), "2".into()]) };
        let nested = Condition::Any(vec![compare("a", Comparison::Equal, "1"), Condition::Not(Box::new(list))]);
        assert_eq!(inside, Condition::All(vec![greater("name", "a,\"b)"), Condition::Not(Box::new(nested))]));
        assert_eq!(top, greater("name", "\"a,b\""));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for text in ["()", "(a.eq.1", "a.eq.1", "(a.1)", "(a.like.x)", "(a.eq.x,y)", "(a.eq.1)x", "(a.gt.\"x)"] {
            let refused = Tree::read("or", text).expect_err(text);
            assert_eq!(refused.code(), "PGRST100", "{text}");
        }
        for value in ["5", "like.x", "in.1,2", "is.5", "not.5"] {
            assert_eq!(filter("a", value).expect_err(value).code(), "PGRST100", "{value}");
        }
    }

    #[test]
    fn nulls_come_last_unless_the_order_is_turned_round() {
        let order = orders("updated_at.desc,id.asc.nullsfirst,name").unwrap();

        let nulls: Vec<_> = order.iter().map(|order| (order.descending, order.nulls_first)).collect();
        assert_eq!(nulls, [(true, true), (false, true), (false, false)]);
        assert!(orders("id.up").is_err());
    }
}

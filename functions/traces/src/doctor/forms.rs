//! Forms in which common programs write the same content: the body that came may be in one, the body that was signed in
//! another. Numbers and texts stay as they are written, and keys in their order, unless the form is about them.

use serde::de::IgnoredAny;
use shared::raw::canonical;

/// A body in another form, and what that form is: "what was signed is this body …".
pub struct Rewritten {
    /// For instance "written without white space".
    pub how: &'static str,
    /// The bytes.
    pub body: Vec<u8>,
}

type Write = fn(&[u8]) -> Option<Vec<u8>>;

/// The forms that are tried: what is about the white space around first, then the likeliest.
const FORMS: [(&str, Write); 18] = [
    ("without the white space around it", |body| Some(body.trim_ascii().to_vec())),
    ("with a line end behind it", |body| Some([body, b"\n"].concat())),
    ("without the byte order mark before it", |body| body.strip_prefix(MARK).map(<[u8]>::to_vec)),
    ("with LF in place of CR LF", |body| Some(replaced(body, b"\r\n", b"\n"))),
    ("written without white space", |body| styled(body, COMPACT)),
    ("written with a space behind each comma and colon", |body| styled(body, SPACED)),
    ("with its keys sorted and no white space", |body| styled(&sorted(body)?, COMPACT)),
    ("with its keys sorted and a space behind each comma and colon", |body| styled(&sorted(body)?, SPACED)),
    ("indented by two spaces", |body| styled(body, Style { indent: Some("  "), ..SPACED })),
    ("indented by four spaces", |body| styled(body, Style { indent: Some("    "), ..SPACED })),
    ("indented by tabs", |body| styled(body, Style { indent: Some("\t"), ..SPACED })),
    ("with a byte order mark before it", |body| (!body.starts_with(MARK)).then(|| [MARK, body].concat())),
    ("with CR LF in place of LF", |body| Some(replaced(&replaced(body, b"\r\n", b"\n"), b"\n", b"\r\n"))),
    ("with CR LF behind it", |body| Some([body, b"\r\n"].concat())),
    ("with all beyond ASCII escaped, and no white space", |body| escaped(&styled(body, COMPACT)?)),
    ("with all beyond ASCII escaped, and a space behind each comma and colon", |body| escaped(&styled(body, SPACED)?)),
    ("with all beyond ASCII and each slash escaped, and no white space", |body| {
        Some(replaced(&escaped(&styled(&unescaped(body)?, COMPACT)?)?, b"/", b"\\/"))
    }),
    ("without escapes in its texts, and no white space", |body| styled(&unescaped(body)?, COMPACT)),
];

/// A body in each form that is not the one that it has, none twice.
pub fn forms(body: &[u8]) -> Vec<Rewritten> {
    let mut all: Vec<Rewritten> = Vec::new();
    for (how, write) in FORMS {
        if let Some(written) = write(body)
            && written != body
            && all.iter().all(|other| other.body != written)
        {
            all.push(Rewritten { how, body: written });
        }
    }
    all
}

/// What some programs write before UTF-8.
pub const MARK: &[u8] = b"\xef\xbb\xbf";

/// How JSON is written between its tokens.
#[derive(Clone, Copy)]
struct Style {
    comma: &'static str,
    colon: &'static str,
    indent: Option<&'static str>,
}

/// JavaScript's `JSON.stringify`, and most others.
const COMPACT: Style = Style { comma: ",", colon: ":", indent: None };
/// Python's `json.dumps`, and the `jsonb` of Postgres.
const SPACED: Style = Style { comma: ", ", colon: ": ", indent: None };

/// The JSON in another style, token by token.
fn styled(body: &[u8], style: Style) -> Option<Vec<u8>> {
    let body = json(body)?;
    // What is nested without end would grow without end when it is indented.
    let most = 4 * body.len() + 1_024;
    let mut written = Vec::with_capacity(body.len() + body.len() / 4);
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(&byte) = body.get(at) {
        at += 1;
        match byte {
            b'"' => {
                let text = text_at(&body[at - 1..]);
                written.extend_from_slice(text);
                at += text.len() - 1;
            }
            b'{' | b'[' => {
                written.push(byte);
                if !matches!(body[at..].trim_ascii_start().first(), Some(b'}' | b']')) {
                    depth += 1;
                    new_line(&mut written, style, depth);
                }
            }
            b'}' | b']' => {
                if !matches!(written.last(), Some(b'{' | b'[')) {
                    depth = depth.saturating_sub(1);
                    new_line(&mut written, style, depth);
                }
                written.push(byte);
            }
            b',' if style.indent.is_some() => {
                written.push(b',');
                new_line(&mut written, style, depth);
            }
            b',' => written.extend_from_slice(style.comma.as_bytes()),
            b':' => written.extend_from_slice(style.colon.as_bytes()),
            space if space.is_ascii_whitespace() => {}
            other => written.push(other),
        }
        if written.len() > most {
            return None;
        }
    }
    Some(written)
}

/// The body, where it is JSON, without what may stand before it.
fn json(body: &[u8]) -> Option<&[u8]> {
    let body = body.strip_prefix(MARK).unwrap_or(body);
    serde_json::from_slice::<IgnoredAny>(body).ok().map(|_| body)
}

fn new_line(written: &mut Vec<u8>, style: Style, depth: usize) {
    if let Some(indent) = style.indent {
        written.push(b'\n');
        for _ in 0..depth.min(128) {
            written.extend_from_slice(indent.as_bytes());
        }
    }
}

/// The text that begins here, with its quotes.
fn text_at(body: &[u8]) -> &[u8] {
    let mut escaped = false;
    let end = body.iter().skip(1).position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.and_then(|end| body.get(..end + 2)).unwrap_or(body)
}

/// The JSON, the keys of every object in the order of their bytes.
fn sorted(body: &[u8]) -> Option<Vec<u8>> {
    Some(canonical(std::str::from_utf8(json(body)?).ok()?).into_bytes())
}

/// Every character beyond ASCII as `\uXXXX`.
fn escaped(body: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let mut written = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            written.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                written.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    Some(written.into_bytes())
}

/// Every text written as it is, with no escape that it does not need.
fn unescaped(body: &[u8]) -> Option<Vec<u8>> {
    let body = json(body)?;
    let mut written = Vec::with_capacity(body.len());
    let mut at = 0;
    while let Some(&byte) = body.get(at) {
        if byte == b'"' {
            let text = text_at(&body[at..]);
            let plain: String = serde_json::from_slice(text).ok()?;
            written.extend_from_slice(serde_json::to_string(&plain).ok()?.as_bytes());
            at += text.len();
        } else {
            written.push(byte);
            at += 1;
        }
    }
    Some(written)
}

fn replaced(body: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut written = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(&byte) = rest.first() {
        if let Some(behind) = rest.strip_prefix(from) {
            written.extend_from_slice(to);
            rest = behind;
        } else {
            written.push(byte);
            rest = &rest[1..];
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_forms(body: &str) -> Vec<String> {
        forms(body.as_bytes()).into_iter().map(|form| String::from_utf8(form.body).unwrap()).collect()
    }

    const BODY: &str =
        "{\"b\": [1.10, {}, [ ]],\n \"a\" :{\"t\":\"x, \\\"y\\\": {é}\", \"n\": 12345678901234567890.1}}";

    #[test]
    fn each_form_keeps_what_it_is_not_about() {
        let forms = in_forms(BODY);
        for expected in [
            "{\"b\":[1.10,{},[]],\"a\":{\"t\":\"x, \\\"y\\\": {é}\",\"n\":12345678901234567890.1}}",
            "{\"b\": [1.10, {}, []], \"a\": {\"t\": \"x, \\\"y\\\": {é}\", \"n\": 12345678901234567890.1}}",
            "{\"a\":{\"n\":12345678901234567890.1,\"t\":\"x, \\\"y\\\": {é}\"},\"b\":[1.10,{},[]]}",
            "{\"a\": {\"n\": 12345678901234567890.1, \"t\": \"x, \\\"y\\\": {é}\"}, \"b\": [1.10, {}, []]}",
            "{\n  \"b\": [\n    1.10,\n    {},\n    []\n  ],\n  \"a\": {\n    \"t\": \"x, \\\"y\\\": {é}\",\n    \"n\": 12345678901234567890.1\n  }\n}",
            "{\n    \"b\": [\n        1.10,\n        {},\n        []\n    ],\n    \"a\": {\n        \"t\": \"x, \\\"y\\\": {é}\",\n        \"n\": 12345678901234567890.1\n    }\n}",
            "{\"b\":[1.10,{},[]],\"a\":{\"t\":\"x, \\\"y\\\": {\\u00e9}\",\"n\":12345678901234567890.1}}",
        ] {
            assert!(forms.iter().any(|form| form == expected), "{expected} in {forms:#?}");
        }
    }

    #[test]
    fn around_json_and_between_its_lines() {
        for (signed, came) in [
            ("{}\n", "{}"),
            ("{}", "{}\r\n"),
            ("{}\r\n", "{}"),
            ("{}", "\u{feff}{}"),
            ("\u{feff}{}", "{}"),
            ("{\n}", "{\r\n}"),
            ("{\r\n}", "{\n}"),
            ("{\"a\":1}", "\u{feff}{ \"a\": 1 }"),
            ("{\"a\":\"é/😀\"}", "{\"a\": \"\\u00e9\\/\\ud83d\\ude00\"}"),
            ("{\"a\":\"\\u00e9\\/\\ud83d\\ude00\"}", "{\"a\":\"é/😀\"}"),
            ("{\"a\": \"\\u00e9/\"}", "{\"a\":\"é/\"}"),
            ("not json\n", "not json"),
        ] {
            assert!(in_forms(came).iter().any(|form| form == signed), "{signed:?} of {came:?}");
        }
    }

    #[test]
    fn no_form_is_the_body_itself_or_comes_twice() {
        for body in [BODY, "{}", "", "x", "[1,2]"] {
            let mut forms = in_forms(body);
            let all = forms.len();
            assert!(!forms.iter().any(|form| form == body), "{body:?}");
            forms.sort();
            forms.dedup();
            assert_eq!(forms.len(), all, "{body:?}");
        }
    }

    #[test]
    fn what_is_no_json_has_no_form_of_json() {
        for body in ["x", "{\"a\":", "{} {}", "\u{0}", "\"", "\"\\"] {
            for form in forms(body.as_bytes()) {
                assert!(
                    ["line", "byte order mark", "white space around", "LF"].iter().any(|what| form.how.contains(what))
                );
            }
        }
        assert!(forms(b"\xff\xfe").len() <= 3, "nor has what is no text");
    }

    #[test]
    fn a_body_of_nothing_but_depth_does_not_break_us() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let longest = forms(deep.as_bytes()).into_iter().map(|form| form.body.len()).max();
        assert!(longest.unwrap() <= 5 * deep.len());
    }
}

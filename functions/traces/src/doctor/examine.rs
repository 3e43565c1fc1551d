//! Which secret has signed what, and in which way: the likeliest first, and the first that fits.

use jiff::Timestamp;
use shared::sign::{Keyed, Message, Signed, which};

use super::{
    body::{Difference, Kind, Sent, differences},
    finding::{Finding, Name},
    forms::Rewritten,
    headers::Headers,
    signers::{Secret, Signer},
};

/// The way that Standard Webhooks says.
const RIGHT: (Keyed, Signed) = (Keyed::Decoded, Signed::All);
/// Of a body written anew, so many forms are held against the wrong ways of signing.
const FEW: usize = 8;
/// So many differences are told.
const TOLD: usize = 20;

/// A request, and whose secrets should have signed it.
pub struct Case<'a> {
    /// What its headers say.
    pub headers: &'a Headers,
    /// Its body as it came.
    pub body: &'a [u8],
    /// Who should have signed.
    pub own: &'a Signer,
    /// When it was received.
    pub at: Timestamp,
}

/// What else it may be held against.
pub struct Evidence {
    /// Bodies that may have been sent.
    pub sent: Vec<Sent>,
    /// The body that came, written otherwise.
    pub forms: Vec<Rewritten>,
    /// The tenant's other signers.
    pub others: Vec<Signer>,
}

/// How one of the signatures came about.
pub struct Fit<'a> {
    signer: &'a Signer,
    secret: &'a Secret,
    way: (Keyed, Signed),
    content: Content<'a>,
    flaw: Option<&'static str>,
}

/// What was signed.
#[derive(Clone, Copy)]
enum Content<'a> {
    /// The body as it came.
    Came(&'a [u8]),
    /// The same, written otherwise.
    Form(&'a Rewritten),
    /// The body that was sent.
    Sent(&'a Sent),
}

impl Content<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Came(body) => body,
            Self::Form(form) => &form.body,
            Self::Sent(sent) => sent.body.as_bytes(),
        }
    }
}

impl<'a> Case<'a> {
    /// The signature over the body as it came, by the right secret or the one before it, where there is one.
    pub fn as_it_came(&self) -> Option<Fit<'a>> {
        self.search(self.own, &[RIGHT], &[Content::Came(self.body)])
    }

    /// How else one of the signatures may have come about.
    pub fn otherwise(&self, evidence: &'a Evidence) -> Option<Fit<'a>> {
        let came = std::iter::once(Content::Came(self.body));
        let sent = || evidence.sent.iter().map(Content::Sent);
        let forms = || evidence.forms.iter().map(Content::Form);
        let rewritten: Vec<_> = forms().chain(sent()).collect();
        let likely: Vec<_> = came.clone().chain(sent()).chain(forms().take(FEW)).collect();
        let known: Vec<_> = came.chain(sent()).collect();
        self.search(self.own, &[RIGHT], &rewritten)
            .or_else(|| self.search(self.own, &WRONG, &likely))
            .or_else(|| evidence.others.iter().find_map(|other| self.search(other, &[RIGHT], &known)))
    }

    fn search(&self, signer: &'a Signer, ways: &[(Keyed, Signed)], contents: &[Content<'a>]) -> Option<Fit<'a>> {
        let given: Vec<Vec<u8>> = self.headers.given.iter().map(|given| given.bytes.clone()).collect();
        if given.is_empty() {
            return None;
        }
        let (id, time) = (self.headers.id.as_str(), self.headers.time.as_str());
        for &content in contents {
            for &way in ways {
                for secret in &signer.secrets {
                    if let Some(nth) = which(&secret.text, way, Message { id, time, body: content.bytes() }, &given) {
                        let flaw = self.headers.given.get(nth).and_then(|given| given.flaw);
                        return Some(Fit { signer, secret, way, content, flaw });
                    }
                }
            }
        }
        None
    }

    /// What is wrong with a signature that came about like this.
    pub fn findings(&self, fit: &Fit<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(wrong_way(fit));
        if fit.signer.who != self.own.who {
            findings.push(other_secret(fit));
        } else if let Some(until) = fit.secret.until {
            findings.push(previous_secret(until, self.at));
        }
        findings.extend(match fit.content {
            Content::Came(_) => None,
            Content::Form(form) => {
                Some(Finding::of(Name::BodyRewritten, format!("what was signed is this body {}", form.how)))
            }
            Content::Sent(sent) => Some(otherwise_sent(differences(&sent.body, self.body))),
        });
        findings
    }

    /// What can be said where nothing makes any of the signatures that can be read.
    pub fn unexplained(&self, evidence: &Evidence) -> Vec<Finding> {
        let flaw = self.headers.given.first().and_then(|given| given.flaw);
        let mut findings: Vec<Finding> = flaw.map(flawed).into_iter().collect();
        if !self.headers.given.is_empty() {
            findings.extend(self.by_the_body(evidence));
        }
        findings
    }

    /// No secret helps: the body that was sent is all that is left to go by. What is known around an event may have changed
    /// since it was sent; where it has not, the body that is made now is the one that was signed.
    fn by_the_body(&self, evidence: &Evidence) -> Vec<Finding> {
        const UNKNOWN: &str = "no secret of yours that is stored makes this signature";
        let made_now = evidence.sent.iter().filter(|sent| !sent.as_came);
        let closest = made_now
            .map(|sent| differences(&sent.body, self.body).into_iter().partition(Difference::is_around))
            .min_by_key(|(_, said): &(Vec<Difference>, Vec<Difference>)| said.len());
        let Some((around, said)) = closest else {
            return vec![Finding::of(Name::Unknown, UNKNOWN)];
        };
        let is_as_made = evidence.sent.iter().any(|sent| !sent.as_came && sent.body.as_bytes() == self.body);
        let mut findings = Vec::new();
        if !said.is_empty() || around.is_empty() && !is_as_made {
            findings.push(otherwise_sent(said));
        }
        if around.is_empty() {
            let detail = format!("{UNKNOWN} of what was delivered under this webhook-id");
            findings.push(Finding::of(Name::OtherSecret, detail));
        }
        if findings.is_empty() {
            let detail =
                format!("{UNKNOWN}; the body says what was delivered, but for what was known around the event");
            findings.push(Finding::of(Name::Unknown, detail));
        }
        findings
    }
}

/// The other ways that are tried.
const WRONG: [(Keyed, Signed); 11] = [
    (Keyed::Whole, Signed::All),
    (Keyed::Text, Signed::All),
    (Keyed::Decoded, Signed::BodyAlone),
    (Keyed::Whole, Signed::BodyAlone),
    (Keyed::Text, Signed::BodyAlone),
    (Keyed::Decoded, Signed::WithoutId),
    (Keyed::Whole, Signed::WithoutId),
    (Keyed::Text, Signed::WithoutId),
    (Keyed::Decoded, Signed::WithoutTime),
    (Keyed::Whole, Signed::WithoutTime),
    (Keyed::Text, Signed::WithoutTime),
];

fn wrong_way(fit: &Fit<'_>) -> Option<Finding> {
    let (keyed, signed) = fit.way;
    let key = match keyed {
        Keyed::Decoded => None,
        Keyed::Text => Some("the text behind whsec_ was the key, not the bytes that it stands for"),
        Keyed::Whole => Some("the secret's whole text was the key, whsec_ included, not the bytes that it stands for"),
    };
    let content = match signed {
        Signed::All => None,
        Signed::BodyAlone => Some("the body alone was signed, without webhook-id and webhook-timestamp"),
        Signed::WithoutId => Some("timestamp and body were signed, without webhook-id"),
        Signed::WithoutTime => Some("id and body were signed, without webhook-timestamp"),
    };
    let flaw = fit.flaw.map(|flaw| format!("webhook-signature {flaw}"));
    let all: Vec<String> = [key, content].into_iter().flatten().map(ToOwned::to_owned).chain(flaw).collect();
    (!all.is_empty()).then(|| Finding::of(Name::Algorithm, all.join("; ")))
}

fn flawed(flaw: &str) -> Finding {
    Finding::of(Name::Algorithm, format!("webhook-signature {flaw}"))
}

fn other_secret(fit: &Fit<'_>) -> Finding {
    let which = match fit.secret.until {
        None => "secret",
        Some(_) => "previous secret",
    };
    Finding::of(Name::OtherSecret, format!("it was signed with the {which} of {}", fit.signer))
}

/// That the secret before the present one was used.
pub fn previous_secret(until: Timestamp, at: Timestamp) -> Finding {
    if at < until {
        Finding::of(
            Name::PreviousSecret,
            format!("the secret before the present one was used, which is still good until {until}"),
        )
        .advise("Change over to the present secret before then.")
    } else {
        Finding::of(Name::PreviousSecret, format!("the secret before the present one was used, which ended at {until}"))
    }
}

/// A body that is not the one that was sent.
fn otherwise_sent(differing: Vec<Difference>) -> Finding {
    if differing.is_empty() {
        return Finding::of(Name::BodyRewritten, "the body says what was sent, in other bytes");
    }
    let more = if differing.len() > TOLD { ", and in more places than are told" } else { "" };
    let places = |kind, what: &str| {
        let at: Vec<String> = differing
            .iter()
            .take(TOLD)
            .filter(|difference| difference.kind == kind)
            .map(
                |difference| if difference.pointer.is_empty() { "its root".into() } else { difference.pointer.clone() },
            )
            .collect();
        (!at.is_empty()).then(|| format!("{what} at {}", at.join(", ")))
    };
    let told: Vec<String> = [
        places(Kind::Other, "another value"),
        places(Kind::Missing, "nothing any more"),
        places(Kind::Added, "something new"),
        places(Kind::Digits, "a number that has lost digits"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let finding = Finding::of(Name::BodyChanged, format!("not what was sent: {}{more}", told.join("; ")));
    let finding = match differing.iter().all(|difference| difference.kind == Kind::Digits) {
        true => finding.advise(
            "Check the raw bytes, and read large and exact numbers as decimals, not as floating-point numbers.",
        ),
        false => finding,
    };
    Finding { pointers: differing.into_iter().take(TOLD).map(|difference| difference.pointer).collect(), ..finding }
}

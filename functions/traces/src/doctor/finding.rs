//! What the doctor finds: stable names, each with its advice.

use serde::Serialize;
use utoipa::ToSchema;

/// One thing that was found.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = WebhookFinding)]
pub struct Finding {
    /// Its name: stable, to be matched on.
    pub name: Name,
    /// What was found, for a person. Never a secret, a signature, or a value of a body.
    pub detail: String,
    /// What to do, in a sentence.
    pub advice: &'static str,
    /// Where the body differs from the one that was signed: JSON pointers (RFC 6901), the first 20.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pointers: Vec<String>,
}

/// The names of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WebhookFindingName)]
pub enum Name {
    /// The proof holds.
    Ok,
    /// A header is not there under its name.
    HeaderMissing,
    /// A header is not of its form.
    HeaderMalformed,
    /// It was signed too long before it was received, or after.
    Clock,
    /// It was signed, or the signature written, in another way than Standard Webhooks says.
    Algorithm,
    /// The secret before the present one was used.
    PreviousSecret,
    /// Another secret was used.
    OtherSecret,
    /// The body says the same in other bytes.
    BodyRewritten,
    /// The body says something else.
    BodyChanged,
    /// No secret of the tenant makes the signature, and nothing tells why.
    Unknown,
}

impl Finding {
    /// One with the usual advice.
    pub fn of(name: Name, detail: impl Into<String>) -> Self {
        Self { name, detail: detail.into(), advice: name.advice(), pointers: Vec::new() }
    }

    /// The same with advice of its own.
    pub fn advise(self, advice: &'static str) -> Self {
        Self { advice, ..self }
    }
}

impl Name {
    fn advice(self) -> &'static str {
        match self {
            Self::Ok => {
                "If it was refused all the same, compare the clock of whoever refused it, and the fingerprint of the secret there."
            }
            Self::HeaderMissing => {
                "Hand webhook-id, webhook-timestamp and webhook-signature on under these names, through every proxy; upper or lower case does not matter."
            }
            Self::HeaderMalformed => "Hand the header on exactly as it was sent.",
            Self::Clock => "Keep both clocks by NTP, and check a webhook when it comes, not after it has waited.",
            Self::Algorithm => {
                "Sign `<webhook-id>.<webhook-timestamp>.<body>` by HMAC-SHA256 with the bytes that the base64 behind `whsec_` stands for, and send `v1,` and the signature in base64."
            }
            Self::PreviousSecret => "Change over to the present secret.",
            Self::OtherSecret => "Use the secret of this very endpoint or automation, and rotate it where it is lost.",
            Self::BodyRewritten => {
                "Sign and check the raw bytes as they travel, before any parser, framework or proxy writes them anew."
            }
            Self::BodyChanged => "Find what changes the body on its way, and check the signature before that.",
            Self::Unknown => {
                "Take headers and raw body from one and the same request, and copy the secret again; to be certain of it, rotate it."
            }
        }
    }
}

//! Why a sign-in comes to nothing. Each is a page for the person whose browser returned, and a line for us.

use shared::Error;

/// Cut by what the person should do next.
#[derive(Debug)]
pub enum Failure {
    /// There is no such sign-in: a mangled or made-up address.
    Unknown,
    /// The ten minutes are over.
    Expired,
    /// The callback came before: a reload, or somebody else's copy.
    Used,
    /// Another browser began it.
    OtherBrowser,
    /// It was begun at another CRM.
    OtherProvider,
    /// The person said no at the vendor.
    Declined,
    /// The vendor sent the browser back with this error.
    SentBack(String),
    /// The vendor did not take the code.
    CodeRefused(String),
    /// The vendor does not take us: our app there is not as configured here.
    NotSetUp(String),
    /// The vendor has had too many requests.
    Busy,
    /// The vendor does not answer, or not sensibly.
    Down(&'static str),
    /// The vendor's answer does not check out: this is what is wrong with it.
    Untrusted(&'static str),
    /// There is no refresh token, so the connection would end within the hour.
    NoLastingAccess,
    /// The account may not be read: status, and the vendor's word for it.
    NoAccount(u16),
    /// The person may use no environment.
    NoEnvironment,
    /// The person may use several environments: address and name.
    ChooseEnvironment(Vec<(String, String)>),
    /// We failed.
    Ours(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl Failure {
    /// Tells those who run this, if there is something for them in it.
    pub fn log(&self) {
        match self {
            Self::Ours(error) => tracing::error!(error = ?error, "a sign-in failed: {error}"),
            Self::NotSetUp(word) => tracing::error!(
                vendor.error = word,
                "the vendor refuses our app: compare client id, secret and redirect URI"
            ),
            Self::Untrusted(what) => {
                tracing::error!(what, "an answer of the vendor was not believed")
            }
            Self::Busy | Self::Down(_) | Self::SentBack(_) | Self::CodeRefused(_) | Self::NoAccount(_) => {
                tracing::warn!(why = ?self, "a sign-in failed at the vendor");
            }
            Self::Unknown
            | Self::Expired
            | Self::Used
            | Self::OtherBrowser
            | Self::OtherProvider
            | Self::Declined
            | Self::NoLastingAccess
            | Self::NoEnvironment
            | Self::ChooseEnvironment(_) => {
                tracing::info!(why = self.word(), "a sign-in came to nothing")
            }
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Used => "used",
            Self::OtherBrowser => "other_browser",
            Self::OtherProvider => "other_provider",
            Self::Declined => "declined",
            Self::SentBack(_) => "sent_back",
            Self::CodeRefused(_) => "code_refused",
            Self::NotSetUp(_) => "not_set_up",
            Self::Busy => "busy",
            Self::Down(_) => "down",
            Self::Untrusted(_) => "untrusted",
            Self::NoLastingAccess => "no_lasting_access",
            Self::NoAccount(_) => "no_account",
            Self::NoEnvironment => "no_environment",
            Self::ChooseEnvironment(_) => "choose_environment",
            Self::Ours(_) => "ours",
        }
    }
}

/// The vendor's word for an error, as far as it is one: what comes through a browser may be anything.
pub fn word(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !text.is_empty() && text.len() <= 40 && text.chars().all(fits) { text.into() } else { "unreadable".into() }
}

//! Why a source cannot be read, by what its owner can do about it.

use shared::{
    Fault as Told,
    egress::Silence,
    source::{SourceFault, Watched},
};

/// How much is told of what the source says.
const QUOTED: usize = 200;

/// The longest value of a cursor or an id, in characters: it is kept with the source.
pub const LONGEST: usize = 200;

/// Why a source cannot be read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Fault {
    /// Its address must not be called.
    #[error("the address {0}")]
    Address(String),
    /// Nobody answers.
    #[error("it does not answer: {}", told(*.0))]
    Unreachable(Silence),
    /// Somebody answers, and it is not the REST interface.
    #[error("what answers there is not the REST interface of a project")]
    NoInterface,
    /// The key is not taken.
    #[error("the key is refused ({status}{})", said(.message))]
    Key {
        /// 401 or 403.
        status: u16,
        /// What it says.
        message: String,
    },
    /// The key is taken, and may not read the table.
    #[error("the key may not read the table {0}")]
    Forbidden(String),
    /// There is no such table, or the interface does not show it.
    #[error("there is no table {0}, or the interface does not show it")]
    NoTable(String),
    /// There is no such column, or it is empty.
    #[error("the table {0} has no column {1}, or rows without a value in it")]
    NoColumn(String, String),
    /// The cursor is not a time.
    #[error("the column {1} of {0} is not a time")]
    NotATime(String, String),
    /// A value that names a place in the table is too long to be kept.
    #[error("the column {1} of {0} has a value of more than {LONGEST} characters")]
    TooLong(String, String),
    /// It gives other rows than were asked for.
    #[error("the rows of {0} are not those that were asked for: {1}")]
    NotAsAsked(String, &'static str),
    /// The database takes too long.
    #[error("a query of {} takes the database too long: it needs an index on ({}, {})", .0.table, .0.cursor_column, .0.id_column)]
    Slow(Watched),
    /// It asks to be left alone for a while.
    #[error("it asks us to slow down")]
    Busy {
        /// Seconds.
        retry_after: Option<u64>,
    },
    /// The answer is larger than what is read.
    #[error("its answer is too large")]
    TooLarge,
    /// It failed.
    #[error("it failed ({status}{}{})", said(.code), said(.message))]
    Answered {
        /// With which status.
        status: u16,
        /// With which code of PostgREST or Postgres.
        code: String,
        /// What it says.
        message: String,
    },
}

impl Fault {
    /// Its name: stable, to be matched on.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Address(_) => "address_refused",
            Self::Unreachable(_) => "unreachable",
            Self::NoInterface => "no_rest_interface",
            Self::Key { .. } => "key_refused",
            Self::Forbidden(_) => "forbidden_table",
            Self::NoTable(_) => "unknown_table",
            Self::NoColumn(..) => "unknown_column",
            Self::NotATime(..) => "not_a_time",
            Self::TooLong(..) => "value_too_long",
            Self::NotAsAsked(..) => "not_as_asked",
            Self::Slow(_) => "slow_query",
            Self::Busy { .. } => "busy",
            Self::TooLarge => "too_large",
            Self::Answered { .. } => "failed",
        }
    }

    /// Whether it is about one table alone, and others can still be read.
    pub fn is_of_table(&self) -> bool {
        match self {
            Self::Forbidden(_)
            | Self::NoTable(_)
            | Self::NoColumn(..)
            | Self::NotATime(..)
            | Self::TooLong(..)
            | Self::NotAsAsked(..)
            | Self::Slow(_)
            | Self::TooLarge => true,
            Self::Address(_)
            | Self::Unreachable(_)
            | Self::NoInterface
            | Self::Key { .. }
            | Self::Busy { .. }
            | Self::Answered { .. } => false,
        }
    }

    /// As it is noted with the source.
    pub fn noted(&self) -> SourceFault {
        SourceFault { name: self.name().into(), detail: self.to_string() }
    }

    /// As a fault of the configuration whose `n`th table was tried.
    pub fn of_configuration(&self, n: usize, table: &Watched) -> Told {
        let pointer = match self {
            Self::Key { .. } => "/key".to_owned(),
            Self::Forbidden(_) | Self::NoTable(_) | Self::Slow(_) => format!("/tables/{n}/table"),
            Self::NotATime(..) => format!("/tables/{n}/cursor_column"),
            Self::NoColumn(_, column) | Self::TooLong(_, column) if *column == table.cursor_column => {
                format!("/tables/{n}/cursor_column")
            }
            Self::NoColumn(_, column) | Self::TooLong(_, column) if *column == table.id_column => {
                format!("/tables/{n}/id_column")
            }
            Self::NoColumn(..) => format!("/tables/{n}/table"),
            _ => "/base_url".to_owned(),
        };
        Told::at(pointer, format!("{}: {self}", self.name()))
    }
}

fn told(silence: Silence) -> &'static str {
    match silence {
        Silence::Timeout => "it took too long",
        _ => "no connection, or it broke",
    }
}

/// What somebody else says, as far as it is told.
fn said(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).take(QUOTED).collect();
    if text.is_empty() { text } else { format!(", {text}") }
}

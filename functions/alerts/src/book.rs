//! What is known of a tenant's scenarios and owners by day and hour: all that rules are judged by.

mod read;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{Timestamp, civil::Date};
use shared::{
    alert::{Kind, Subject, Which},
    id::ClientId,
    make::pull::Pull,
    rate::Rates,
    run::RunDay,
    scenario::{Owner, Scenario},
    sheet::{Cell, Sheet, Sums},
    tenant::Zone,
};

use crate::moment::Hours;

pub use read::{PAST, Reach};

/// What is known of a tenant.
pub struct Book {
    /// Cuts its days.
    pub zone: Zone,
    /// Scenarios that Make.com or a run has told of, by id.
    pub scenarios: HashMap<String, Scenario>,
    /// Those, and what was stated without an id.
    pub known: BTreeMap<Which, Known>,
    /// Days with runs, hour by hour, by scenario.
    pub ran: HashMap<String, BTreeMap<Date, RunDay>>,
    /// The last scenario, by id, whose runs were read, where those of all were too many.
    pub ran_to: Option<String>,
    /// The hours of the days whose runs were read.
    pub hours: HashMap<Date, Hours>,
    /// The company, what is unmapped, and clients.
    pub owners: BTreeMap<Owner, Days>,
    /// What clients are called.
    pub clients: HashMap<ClientId, String>,
    /// What credits cost.
    pub rates: Rates,
    /// How the pull from Make.com goes, where there is an account.
    pub pull: Option<Pull>,
}

/// What is known of a scenario.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// For whom it runs today.
    pub owner: Owner,
    /// What people call it.
    pub name: String,
    /// What it did by day.
    pub days: BTreeMap<Date, Cell>,
}

/// What is known of an owner by day.
#[derive(Clone, Debug, Default)]
pub struct Days {
    /// What its scenarios come to.
    pub totals: BTreeMap<Date, Sums>,
    /// Days that were stated by a sync.
    pub stated: BTreeSet<Date>,
}

/// What is known of one subject.
#[derive(Clone, Copy)]
pub struct Facts<'b> {
    /// All that is known.
    pub book: &'b Book,
    /// Of what.
    pub subject: &'b Subject,
    /// Since when an alert about it is open.
    pub open_since: Option<Timestamp>,
}

impl Book {
    /// All that rules of a kind are about.
    pub fn subjects(&self, kind: Kind) -> Vec<Subject> {
        if kind.is_of_owner() {
            return self.owners.keys().map(|owner| Subject { owner: *owner, scenario: None }).collect();
        }
        let of = |(which, known): (&Which, &Known)| Subject { owner: known.owner, scenario: Some(which.clone()) };
        self.known.iter().map(of).collect()
    }

    /// Whether all was read that rules of a kind judge a subject by.
    pub fn is_read_for(&self, kind: Kind, subject: &Subject) -> bool {
        let by_hour = matches!(kind, Kind::ErrorRate | Kind::Limit | Kind::Silence | Kind::EmptySuccess);
        !by_hour || !subject.scenario.as_ref().is_some_and(|which| self.is_beyond(which))
    }

    /// How many scenarios' runs were not read.
    pub fn unread(&self) -> usize {
        self.known.keys().filter(|which| self.is_beyond(which)).count()
    }

    fn is_beyond(&self, which: &Which) -> bool {
        which.by_id && self.ran_to.as_ref().is_some_and(|last| which.scenario > *last)
    }

    /// What people call a subject.
    pub fn name(&self, subject: &Subject) -> String {
        match (&subject.scenario, subject.owner) {
            (Some(which), _) => {
                self.known.get(which).map_or_else(|| which.scenario.clone(), |known| known.name.clone())
            }
            (None, Owner::Company) => "the company".into(),
            (None, Owner::Unmapped) => "what is mapped to nobody".into(),
            (None, Owner::Client(client)) => self.clients.get(&client).cloned().unwrap_or_else(|| client.to_string()),
        }
    }

    /// The facts of a subject.
    pub fn facts<'b>(&'b self, subject: &'b Subject, open_since: Option<Timestamp>) -> Facts<'b> {
        Facts { book: self, subject, open_since }
    }

    /// Takes in a sheet; those of later days after those of earlier ones.
    fn take(&mut self, sheet: Sheet) {
        let days = self.owners.entry(sheet.owner).or_default();
        for (subject, cell) in sheet.cells {
            if cell.stated.is_some() {
                days.stated.insert(sheet.date);
            }
            let which = Which { by_id: subject.by_id, scenario: subject.scenario };
            let known = self.known.entry(which).or_default();
            known.owner = sheet.owner;
            if let Some(stated) = &cell.stated {
                known.name.clone_from(&stated.name);
            }
            merge(known.days.entry(sheet.date).or_default(), cell);
        }
    }

    /// What Make.com calls scenarios, and whose they were made by people, holds before what was stated.
    fn settle(&mut self, today: Date) {
        for scenario in self.scenarios.values() {
            let known = self.known.entry(Which { by_id: true, scenario: scenario.id.clone() }).or_default();
            known.name.clone_from(&scenario.name);
            if !scenario.mapping.is_empty() {
                known.owner = scenario.on(today).owner;
            }
        }
        for (which, known) in &mut self.known {
            if known.name.is_empty() {
                known.name.clone_from(&which.scenario);
            }
        }
    }
}

/// A scenario has a cell for each type of operation.
fn merge(into: &mut Cell, cell: Cell) {
    into.operations += cell.operations;
    into.succeeded += cell.succeeded;
    into.warned += cell.warned;
    into.failed += cell.failed;
    into.empty += cell.empty;
    into.stated = cell.stated.or(into.stated.take());
}

impl<'b> Facts<'b> {
    /// What is known of its scenario, where it is one.
    pub fn known(&self) -> Option<&'b Known> {
        self.book.known.get(self.subject.scenario.as_ref()?)
    }

    /// The scenario, where Make.com or a run has told of it.
    pub fn scenario(&self) -> Option<&'b Scenario> {
        self.subject
            .scenario
            .as_ref()
            .filter(|which| which.by_id)
            .and_then(|which| self.book.scenarios.get(&which.scenario))
    }

    /// The days on which it ran, hour by hour.
    pub fn ran(&self) -> Option<&'b BTreeMap<Date, RunDay>> {
        self.subject.scenario.as_ref().filter(|which| which.by_id).and_then(|which| self.book.ran.get(&which.scenario))
    }

    /// What is known of its owner.
    pub fn days(&self) -> Option<&'b Days> {
        self.book.owners.get(&self.subject.owner)
    }
}

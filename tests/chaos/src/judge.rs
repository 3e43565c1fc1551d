//! Whether anything was lost, doubled or put out of order. Judges rows and receipts alone, whoever wrote them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use shared::{
    delivery::{State, Verdict},
    id::EventId,
    live::Channel,
};

use crate::evidence::Evidence;

/// One thing that must be so.
#[derive(Debug)]
pub struct Judgement {
    /// What must be so.
    pub must: &'static str,
    /// What was looked at.
    pub told: String,
    /// What speaks against it: the first of it, and how many.
    pub against: Option<String>,
}

/// All judgements of a run.
pub fn all(evidence: &Evidence) -> Vec<Judgement> {
    let mut judgements = vec![
        taken_once(evidence),
        lost(evidence),
        invented(evidence),
        settled(evidence),
        logged_once(evidence),
        attempts_without_gap(evidence),
        really_taken(evidence),
        signed(evidence),
        numbers_without_gap(evidence),
        numbered_everywhere(evidence),
        one_order(evidence),
    ];
    judgements.extend(heard_in_order(evidence));
    judgements.extend(histories_agree(evidence));
    judgements
}

/// Collects what speaks against something.
#[derive(Default)]
struct Against(Vec<String>);

impl Against {
    fn add(&mut self, what: impl Into<String>) {
        self.0.push(what.into());
    }

    fn judge(self, must: &'static str, told: String) -> Judgement {
        let against = self.0.first().map(|first| match self.0.len() {
            1 => first.clone(),
            more => format!("{first}, and {} more", more - 1),
        });
        Judgement { must, told, against }
    }
}

fn taken_once(evidence: &Evidence) -> Judgement {
    let (mut against, mut changes) = (Against::default(), HashMap::new());
    for accepted in &evidence.accepted {
        if let Some(other) = changes.insert(accepted.change.n, accepted.event) {
            against.add(format!("change {} is {other} and {}", accepted.change.n, accepted.event));
        }
    }
    if changes.len() != evidence.changes {
        against.add(format!("{} changes were never answered 202", evidence.changes - changes.len()));
    }
    let events: HashSet<EventId> = evidence.accepted.iter().map(|accepted| accepted.event).collect();
    if events.len() != evidence.accepted.len() {
        against.add(format!("{} changes share their event with another", evidence.accepted.len() - events.len()));
    }
    against.judge("every change is one event, however often it is sent", format!("{} changes", evidence.changes))
}

fn lost(evidence: &Evidence) -> Judgement {
    let made: HashSet<_> = evidence.deliveries.iter().map(|delivery| (delivery.event, delivery.endpoint)).collect();
    let (mut against, mut wanted) = (Against::default(), 0);
    for accepted in &evidence.accepted {
        for endpoint in evidence.endpoints.iter().filter(|endpoint| endpoint.wants(accepted.change.event_type)) {
            wanted += 1;
            if !made.contains(&(accepted.event, endpoint.id)) {
                against.add(format!("{} has no delivery to {}", accepted.event, endpoint.name));
            }
        }
    }
    against.judge(
        "every accepted event has a delivery to each endpoint that wants it",
        format!("{} events, {wanted} deliveries", evidence.accepted.len()),
    )
}

fn invented(evidence: &Evidence) -> Judgement {
    let accepted: HashSet<EventId> = evidence.accepted.iter().map(|accepted| accepted.event).collect();
    let mut against = Against::default();
    let mut seen = HashSet::new();
    for delivery in &evidence.deliveries {
        if !accepted.contains(&delivery.event) {
            against.add(format!("{} delivers an event that nobody was answered", delivery.id));
        }
        if !seen.insert((delivery.event, delivery.endpoint)) {
            against.add(format!("{} is the second delivery of {}", delivery.id, delivery.event));
        }
    }
    against.judge("and no other delivery, none twice", format!("{} rows", evidence.deliveries.len()))
}

fn settled(evidence: &Evidence) -> Judgement {
    let mut against = Against::default();
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for delivery in &evidence.deliveries {
        let name = format!("{:?}", delivery.state).to_lowercase();
        *counted.entry(name.clone()).or_default() += 1;
        let endpoint = evidence.endpoints.iter().find(|endpoint| endpoint.id == delivery.endpoint);
        let has_reason = match delivery.state {
            State::Delivered => true,
            State::Pending => false,
            State::Parked => endpoint.is_some_and(|endpoint| endpoint.reason.is_some()),
            _ => delivery.last.is_some(),
        };
        if !has_reason {
            against.add(format!("{} is {name} without a reason", delivery.id));
        }
    }
    let told: Vec<String> = counted.iter().map(|(state, count)| format!("{count} {state}")).collect();
    against.judge("every delivery is delivered, or says why it is not", told.join(", "))
}

fn logged_once(evidence: &Evidence) -> Judgement {
    let (mut against, mut successes) = (Against::default(), 0);
    for delivery in &evidence.deliveries {
        let attempts = evidence.attempts.get(&delivery.id).map(Vec::as_slice).unwrap_or_default();
        let logged = attempts.iter().filter(|attempt| attempt.verdict == Verdict::Delivered).count();
        successes += logged;
        if logged != usize::from(delivery.state == State::Delivered) {
            against.add(format!("{} is {:?} and has {logged} successes", delivery.id, delivery.state));
        }
    }
    against.judge("the log has each webhook-id once as delivered", format!("{successes} successes"))
}

fn attempts_without_gap(evidence: &Evidence) -> Judgement {
    let (mut against, mut all) = (Against::default(), 0);
    for delivery in &evidence.deliveries {
        let attempts = evidence.attempts.get(&delivery.id).map(Vec::as_slice).unwrap_or_default();
        all += attempts.len();
        let numbers: Vec<u32> = attempts.iter().map(|attempt| attempt.n).collect();
        if !numbers.iter().copied().eq(1..=delivery.attempts) {
            against.add(format!("{} says {} attempts and logs {numbers:?}", delivery.id, delivery.attempts));
        }
    }
    against.judge("every attempt stands in the log under its number", format!("{all} attempts"))
}

fn really_taken(evidence: &Evidence) -> Judgement {
    let (mut against, mut delivered) = (Against::default(), 0);
    for delivery in &evidence.deliveries {
        let taken = evidence.seen.by_id.get(&delivery.id.to_string()).is_some_and(|seen| seen.taken_at.is_some());
        delivered += usize::from(delivery.state == State::Delivered);
        if delivery.state == State::Delivered && !taken {
            against.add(format!("{} is said to be delivered, and never arrived", delivery.id));
        }
    }
    against.judge("what is called delivered has arrived", format!("{delivered} deliveries"))
}

fn signed(evidence: &Evidence) -> Judgement {
    let mut against = Against::default();
    if evidence.seen.unsigned > 0 {
        against.add(format!("{} requests", evidence.seen.unsigned));
    }
    let requests: usize = evidence.seen.by_id.values().map(|receipts| receipts.fates.len()).sum();
    against.judge("every request was signed by its endpoint's secret", format!("{requests} requests"))
}

fn numbers_without_gap(evidence: &Evidence) -> Judgement {
    let (mut against, mut numbers) = (Against::default(), 0);
    for (channel, entries) in &evidence.channels {
        numbers += entries.len();
        if !entries.iter().map(|entry| entry.number).eq(1..=entries.len() as u64) {
            against.add(format!(
                "{channel} has {} entries up to {:?}",
                entries.len(),
                entries.last().map(|e| e.number)
            ));
        }
        let events: HashSet<EventId> = entries.iter().map(|entry| entry.event).collect();
        if events.len() != entries.len() {
            against.add(format!("{channel} numbers {} events twice", entries.len() - events.len()));
        }
    }
    against.judge(
        "the numbers of every channel begin at 1 and have no gap and no double",
        format!("{} channels, {numbers} numbers", evidence.channels.len()),
    )
}

fn numbered_everywhere(evidence: &Evidence) -> Judgement {
    let events = |entries: &Vec<shared::live::Entry>| entries.iter().map(|entry| entry.event).collect::<HashSet<_>>();
    let numbered: HashMap<&Channel, HashSet<EventId>> =
        evidence.channels.iter().map(|(channel, entries)| (channel, events(entries))).collect();
    let (mut against, mut places) = (Against::default(), 0);
    for accepted in &evidence.accepted {
        for channel in accepted.channels() {
            places += 1;
            if !numbered.get(&channel).is_some_and(|events| events.contains(&accepted.event)) {
                against.add(format!("{} has no number in {channel}", accepted.event));
            }
        }
    }
    let whole = evidence.channels.get(&Channel::Tenant).map_or(0, Vec::len);
    if whole > evidence.accepted.len() {
        against.add(format!(
            "the tenant's channel has {} events that nobody was answered",
            whole - evidence.accepted.len()
        ));
    }
    against.judge("every event has its number in each of its channels", format!("{places} places"))
}

/// An event is numbered in all of its channels at once: what comes first in one comes first in all.
fn one_order(evidence: &Evidence) -> Judgement {
    let whole: HashMap<EventId, u64> = evidence
        .channels
        .get(&Channel::Tenant)
        .into_iter()
        .flatten()
        .map(|entry| (entry.event, entry.number))
        .collect();
    let (mut against, mut pairs) = (Against::default(), 0);
    for (channel, entries) in &evidence.channels {
        let places: Vec<Option<&u64>> = entries.iter().map(|entry| whole.get(&entry.event)).collect();
        pairs += places.len().saturating_sub(1);
        if let Some(at) = places.windows(2).position(|pair| pair[0] >= pair[1]) {
            against.add(format!("{channel} has numbers {} and {} the other way round", at + 1, at + 2));
        }
    }
    against.judge("all channels tell the same order", format!("{pairs} neighbours"))
}

fn heard_in_order(evidence: &Evidence) -> Option<Judgement> {
    let heard = evidence.heard.as_ref()?;
    let (mut against, mut messages) = (Against::default(), 0);
    for (channel, stream) in &heard.by_channel {
        messages += stream.len();
        let entries = evidence.channels.get(channel).map(Vec::as_slice).unwrap_or_default();
        let told = stream.iter().map(|message| (message.number, message.event));
        if !told.eq(entries.iter().map(|entry| (entry.number, entry.event))) {
            against.add(format!("{channel} has {} events, its subscriber heard {}", entries.len(), stream.len()));
        }
    }
    Some(against.judge(
        "live subscribers hear every number, in its order",
        format!("{} channels, {messages} events", heard.by_channel.len()),
    ))
}

fn histories_agree(evidence: &Evidence) -> Option<Judgement> {
    if evidence.histories.is_empty() {
        return None;
    }
    let (mut against, mut told) = (Against::default(), 0);
    for (channel, history) in &evidence.histories {
        told += history.len();
        let entries = evidence.channels.get(channel).map(Vec::as_slice).unwrap_or_default();
        let rows: BTreeSet<(u64, EventId)> = entries.iter().map(|entry| (entry.number, entry.event)).collect();
        if history.len() != rows.len() || !history.iter().copied().eq(rows) {
            against.add(format!("{channel} has {} numbers, its route tells {}", entries.len(), history.len()));
        }
    }
    Some(
        against
            .judge("the history routes tell the same", format!("{} channels, {told} events", evidence.histories.len())),
    )
}

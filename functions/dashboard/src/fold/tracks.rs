//! Tracks: what each with new reports adds to each hour.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use shared::{
    Result,
    activity::Kind,
    id::TrackId,
    key,
    snapshot::{Checkpoint, Contribution, Mark, Part, Stale, Standing},
    table::Page,
};

use super::Fold;
use crate::{
    together::together,
    track::{self, Account, Note},
};

/// A mark younger than this stays for the next run: the events that it speaks of may still be on their way into the
/// table. Longer than any request may take.
const SETTLED: SignedDuration = SignedDuration::from_secs(60);
/// So many parts of a contribution stand in one row: less than a row may hold, whoever they are credited to.
const PARTS: usize = 150;

/// How much of a track is held in memory.
#[derive(Clone, Copy)]
struct Bounds {
    /// Reports of one request.
    page: u16,
    /// From so many on, a conversation is accounted up to the hour that is being read.
    stretch: usize,
    /// The most of one hour of a conversation, or of any other track.
    most: usize,
    /// What is beyond does not count; otherwise the track is given back.
    cuts: bool,
}

/// Of tracks that are read abreast; one with more waits until it can be read alone.
const ABREAST: Bounds = Bounds { page: 100, stretch: 1_000, most: 4_000, cuts: false };
/// Of a track that is read alone: some 60 MB.
const ALONE: Bounds = Bounds { page: 1_000, stretch: 10_000, most: 250_000, cuts: true };

/// A track with new reports in these hours.
struct Task {
    track: TrackId,
    marks: Vec<Mark>,
}

/// Where the account of a track begins.
struct Beginning {
    from: Option<Timestamp>,
    since: Option<Standing>,
    /// What is known of how it stood later.
    later: BTreeMap<Timestamp, Standing>,
}

impl Fold {
    /// Works out what each track with new reports amounts to.
    pub(crate) async fn tracks(&self) -> Result<()> {
        self.tracks_within(ABREAST, ALONE).await
    }

    async fn tracks_within(&self, abreast: Bounds, alone: Bounds) -> Result<()> {
        let mut page = Page::first(500);
        let mut long = Vec::new();
        loop {
            let found = self.table.list(&key::stale_tracks(self.tenant), page.clone()).await?;
            let mut tracks: BTreeMap<TrackId, Vec<Mark>> = BTreeMap::new();
            for mark in found.rows {
                if let Stale::Track(track, _) = mark.stale {
                    tracks.entry(track).or_default().push(mark);
                }
            }
            let tasks = tracks.into_iter().map(|(track, marks)| self.track(Task { track, marks }, abreast));
            long.extend(together(tasks.collect()).await?.into_iter().flatten());
            match found.more {
                Some(after) => page.after = Some(after),
                None => break,
            }
        }
        for task in long {
            if let Some(Task { track, marks }) = self.track(task, alone).await? {
                tracing::error!(tenant.id = %self.tenant, track.id = %track, "a track has too many reports, not all of them count");
                self.settled(&marks).await?;
            }
        }
        Ok(())
    }

    /// Works out a track; gives it back where it has more reports than these bounds allow.
    async fn track(&self, task: Task, bounds: Bounds) -> Result<Option<Task>> {
        let Some(beginning) = self.beginning(&task).await? else { return Ok(None) };
        if self.read(task.track, beginning, bounds).await? {
            self.settled(&task.marks).await?;
            return Ok(None);
        }
        Ok(Some(task))
    }

    /// The last checkpoint before what is new.
    async fn beginning(&self, task: &Task) -> Result<Option<Beginning>> {
        let first = task.marks.iter().filter_map(|mark| match mark.stale {
            Stale::Track(_, hour) => Some(hour),
            _ => None,
        });
        let Some(first) = first.min() else { return Ok(None) };
        let checkpoints = self.table.list_all(&key::checkpoints(self.tenant, task.track)).await?;
        let mut known: BTreeMap<Timestamp, Standing> =
            checkpoints.into_iter().map(|checkpoint| (checkpoint.hour, checkpoint.standing)).collect();
        let mut later = known.split_off(&first);
        let since = match later.remove(&first) {
            Some(standing) => Some((first, standing)),
            None => known.pop_last(),
        };
        let (from, since) = since.unzip();
        Ok(Some(Beginning { from, since, later }))
    }

    /// Reads a track page by page, and accounts for a conversation as it goes. Whether that was all.
    async fn read(&self, track: TrackId, beginning: Beginning, bounds: Bounds) -> Result<bool> {
        let Beginning { from, mut since, later } = beginning;
        let again: BTreeSet<Timestamp> = later.keys().copied().collect();
        let mut range = key::activities(self.tenant, track, from);
        let mut page = Page::first(bounds.page);
        let mut held: Vec<Note> = Vec::new();
        let mut is_all = true;
        loop {
            let found = self.table.list(&range, page.clone()).await?;
            held.extend(found.rows.into_iter().map(Note::from));
            let reading = held.last().map(|last| (last.hour, last.what.kind() == Kind::Conversation));
            if let Some((hour, true)) = reading
                && held.len() >= bounds.stretch
                && held[0].hour < hour
            {
                let rest = held.split_off(held.partition_point(|note| note.hour < hour));
                let mut account = track::account(std::mem::replace(&mut held, rest), since, &again);
                account.checkpoints.extend(account.standing.clone().map(|standing| (hour, standing)));
                since = account.standing.clone();
                self.keep(track, account, &later).await?;
            }
            page.after = found.more;
            if let Some((hour, is_conversation)) = reading
                && held.len() > bounds.most
            {
                if !bounds.cuts {
                    return Ok(false);
                }
                is_all = false;
                held.truncate(bounds.most);
                if !is_conversation {
                    break;
                }
                range = key::activities(self.tenant, track, Some(hour + SignedDuration::from_mins(1)));
                page.after = None;
            } else if page.after.is_none() {
                break;
            }
        }
        let account = track::account(held, since, &again);
        self.keep(track, account, &later).await?;
        Ok(is_all)
    }

    async fn keep(&self, track: TrackId, account: Account, later: &BTreeMap<Timestamp, Standing>) -> Result<()> {
        for (hour, parts) in account.hours {
            self.contribute(track, hour, &parts).await?;
        }
        for (hour, standing) in account.checkpoints {
            if later.get(&hour) != Some(&standing) {
                self.table.put(&Checkpoint { tenant: self.tenant, track, hour, standing }).await?;
            }
        }
        Ok(())
    }

    /// Puts the parts in place of those that were there, row by row.
    async fn contribute(&self, track: TrackId, hour: Timestamp, parts: &[Part]) -> Result<()> {
        let was = self.table.list_all(&key::contributions_of(self.tenant, hour, track)).await?;
        let mut is_marked = false;
        for nth in 0..was.len().max(parts.len().div_ceil(PARTS)) {
            let fresh = parts.chunks(PARTS).nth(nth).unwrap_or_default();
            if was.get(nth).map_or(&[][..], |was| &was.parts) == fresh {
                continue;
            }
            if !is_marked {
                self.mark(Stale::Hour(hour)).await?;
                is_marked = true;
            }
            let (nth, parts) = (u32::try_from(nth).unwrap_or(u32::MAX), fresh.to_vec());
            self.table.put(&Contribution { tenant: self.tenant, hour, track, nth, parts }).await?;
        }
        Ok(())
    }

    async fn settled(&self, marks: &[Mark]) -> Result<()> {
        for mark in marks {
            if mark.marked_at <= (self.now - SETTLED).as_millisecond() {
                self.table.delete_seen(key::mark(self.tenant, mark.stale), "marked_at", mark.marked_at).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use shared::{
        activity::{Activity, Author, Channel, What, identity, track},
        id::TenantId,
        snapshot::{Contribution, hour_of},
        table::Table,
        tenant::Zone,
        testing::table,
    };

    use super::*;

    const ROOMY: Bounds = Bounds { page: 1_000, stretch: 1_000, most: 1_000, cuts: false };
    const NOW: Timestamp = Timestamp::constant(1_795_255_200, 0);

    /// A customer who writes every second minute, and one of three agents who answers.
    fn talk(tenant: TenantId, n: i64) -> Activity {
        let occurred_at = NOW - SignedDuration::from_hours(9) + SignedDuration::from_secs(61 * n);
        let replies = n % 2 == 1;
        Activity {
            tenant,
            track: track(Kind::Conversation, "c"),
            id: identity(&n.to_string()),
            hour: hour_of(&Zone::UTC, occurred_at),
            sent_id: n.to_string(),
            what: if replies { What::MessageOutbound } else { What::MessageInbound },
            occurred_at,
            accepted_at: NOW,
            channel: Channel::Whatsapp,
            agent_id: replies.then(|| format!("agent-{}", n % 3)),
            team: None,
            conversation_id: Some("c".into()),
            customer_id: None,
            message_id: None,
            ticket_id: None,
            lead_id: None,
            campaign_id: None,
            session_id: None,
            queue_id: None,
            author: replies.then_some(Author::Agent),
            priority: None,
            error_code: None,
            status: None,
            depth: None,
            cost_usd: None,
        }
    }

    async fn store(table: &Table, reports: &[Activity]) {
        for report in reports {
            let stale = Stale::Track(report.track, report.hour);
            table.put(&Mark { tenant: report.tenant, stale, marked_at: 0 }).await.unwrap();
        }
        together(reports.iter().map(|report| table.put(report)).collect()).await.unwrap();
    }

    async fn folded(reports: &[Activity], abreast: Bounds, alone: Bounds) -> Vec<Vec<Part>> {
        let (table, tenant) = (table().await, reports[0].tenant);
        store(&table, reports).await;
        Fold::new(&table, tenant, Zone::UTC, NOW).tracks_within(abreast, alone).await.unwrap();
        assert!(table.list_all(&key::stale_tracks(tenant)).await.unwrap().is_empty(), "nobody comes back to it");
        let mut hours = Vec::new();
        for hour in reports.iter().map(|report| report.hour).collect::<BTreeSet<_>>() {
            let rows: Vec<Contribution> = table.list_all(&key::contributions(tenant, hour)).await.unwrap();
            hours.push(rows.into_iter().flat_map(|row| row.parts).collect());
        }
        hours
    }

    #[tokio::test]
    async fn a_conversation_read_in_small_stretches_amounts_to_the_same() {
        let tenant = TenantId::new();
        let reports: Vec<Activity> = (0..500).map(|n| talk(tenant, n)).collect();
        let whole = folded(&reports, ROOMY, ROOMY).await;
        let small = Bounds { page: 7, stretch: 25, most: 80, cuts: false };

        assert!(whole.iter().flatten().all(|part| part.waits.len() <= 1), "equal waits are counted, not listed");
        assert_eq!(folded(&reports, small, small).await, whole);
        // No hour of it fits: it is read again, alone.
        assert_eq!(folded(&reports, Bounds { most: 30, ..small }, Bounds { cuts: true, ..ROOMY }).await, whole);
    }

    #[tokio::test]
    async fn of_an_hour_without_end_a_part_counts_and_the_hours_after_it_do_in_full() {
        let tenant = TenantId::new();
        let reports: Vec<Activity> = (0..180).map(|n| talk(tenant, n)).collect();
        let small = Bounds { page: 7, stretch: 25, most: 40, cuts: false };

        let hours = folded(&reports, small, Bounds { cuts: true, ..small }).await;

        let told = |hour: &Vec<Part>| {
            hour.iter()
                .flat_map(|part| part.counts.iter())
                .filter(|(metric, _)| {
                    use shared::snapshot::Metric::{ByAgent, Inbound};
                    matches!(metric, Inbound | ByAgent)
                })
                .map(|(_, count)| count)
                .sum::<i64>()
        };
        assert_eq!(hours.iter().map(told).collect::<Vec<_>>(), [40, 40, 40, 2]);
    }

    #[tokio::test]
    async fn a_conversation_that_hundreds_of_agents_answer_takes_several_rows() {
        let tenant = TenantId::new();
        let hour = hour_of(&Zone::UTC, NOW);
        let answer = |n: i64| {
            let agent_id = Some(format!("{n:0>64}"));
            Activity { hour, occurred_at: hour + SignedDuration::from_secs(n), agent_id, ..talk(tenant, 2 * n + 1) }
        };
        let reports: Vec<Activity> = (0..400).map(answer).collect();

        let (table, track) = (table().await, reports[0].track);
        store(&table, &reports).await;
        let fold = Fold::new(&table, tenant, Zone::UTC, NOW);
        fold.tracks().await.unwrap();
        let rows = table.list_all(&key::contributions_of(tenant, hour, track)).await.unwrap();
        // One that was credited to hundreds may later be credited to one.
        fold.contribute(track, hour, &rows[0].parts[..1]).await.unwrap();
        let less = table.list_all(&key::contributions(tenant, hour)).await.unwrap();

        assert_eq!(rows.iter().map(|row| row.parts.len()).collect::<Vec<_>>(), [150, 150, 101]);
        assert_eq!(less.iter().map(|row| row.parts.len()).collect::<Vec<_>>(), [1, 0, 0]);
    }
}

//! The run: a calm, a storm, the time after it, and what a person does in the end.

use std::{
    collections::{BTreeMap, HashSet},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use futures::StreamExt;
use reqwest::Method;
use serde_json::json;
use shared::{
    delivery::{Delivery, State},
    id::EventId,
    key,
    live::{Channel, head},
};

use crate::{
    Options, Result,
    business::{self, Change},
    dice::Dice,
    evidence::{self, Evidence},
    killer::{Killer, Kills},
    patience::{self, Forward},
    receiver::Receiver,
    sender::{self, Pace, Sent},
    show::Show,
    stage::{ENDPOINTS, Stage},
    watcher::Watcher,
};

/// So many changes are posted at the same time.
pub const AT_ONCE: usize = 8;
/// So many deliveries may be unsettled before the next change is posted: an emulator settles some ten a second, and one that
/// hides thousands of messages settles less.
const BEHIND: usize = 1_000;
/// In the calm, one change after the other with this between them.
const CALM_PAUSE: Duration = Duration::from_millis(60);
/// How often the rows are looked at while they settle.
const LOOK: Duration = Duration::from_secs(3);
/// The longest that anything is waited for when nothing fails any more.
const MENDED_WITHIN: Duration = Duration::from_secs(600);
/// The most that everything may take to settle under fire.
const SETTLED_WITHIN: Duration = Duration::from_secs(3_600);

/// What was done, and what it left behind.
pub struct Outcome {
    /// The rows and what was seen outside.
    pub evidence: Evidence,
    /// What was sent.
    pub sent: Sent,
    /// The events of the calm.
    pub calm: HashSet<EventId>,
    /// Changes accepted a second in the storm.
    pub accepted_per_s: f64,
    /// Kills by function.
    pub kills: Kills,
    /// Tries that were brought forward, by the attempts before them.
    pub forward: Forward,
    /// How the deliveries stood when nothing moved any more, before anything was mended: by state and reason.
    pub unmended: BTreeMap<String, usize>,
    /// What the down stretch and the closed webhook made of the endpoints.
    pub endpoints: Vec<String>,
    /// How long the receiver was down.
    pub down: Duration,
}

/// A part of the whole, and its turning points.
struct Plan {
    calm: Vec<Change>,
    storm: Vec<Change>,
    /// After so many changes of the storm the receiver goes down, for so long.
    down_at: usize,
    down_for: Duration,
    /// After so many a webhook is closed for good.
    closed_at: usize,
}

impl Plan {
    fn of(options: &Options) -> Self {
        let mut calm = business::day(options.seed, options.events);
        let storm = calm.split_off((options.events / 10).min(500));
        let (down_at, closed_at) = (storm.len() * 2 / 5, storm.len() * 7 / 10);
        let down_for = Duration::from_secs((storm.len() / 150).clamp(15, 60) as u64);
        Self { calm, storm, down_at, down_for, closed_at }
    }

    fn deliveries(&self) -> usize {
        let wants = |pattern: &str, event_type: &str| match pattern.strip_suffix('*') {
            Some(prefix) => event_type.starts_with(prefix),
            None => pattern == event_type,
        };
        let of = |change: &Change| {
            let wanting = ENDPOINTS.iter().filter(|(_, types)| types.iter().any(|it| wants(it, change.event_type)));
            wanting.count()
        };
        self.calm.iter().chain(&self.storm).map(of).sum()
    }
}

/// Runs it.
pub async fn all(options: &Options) -> Result<Outcome> {
    let receiver = Receiver::open(options.seed).await?;
    let stage = Stage::set(&receiver).await?;
    let plan = Plan::of(options);
    let show = Show::of(plan.deliveries());
    let sent = Sent::default();
    let watcher = follow(&stage, &plan).await?;

    show.say(&format!("calm: {} changes, one after the other, and nothing fails", plan.calm.len()));
    for change in &plan.calm {
        sender::post(&stage, &sent, change, None).await?;
        show.at(receiver.taken(), "calm");
        tokio::time::sleep(CALM_PAUSE).await;
    }
    let calm = sent.accepted().iter().map(|accepted| accepted.event).collect();

    show.say(&format!(
        "storm: {} changes, {AT_ONCE} at a time; {:.0} % of all requests to the receiver fail, functions are killed",
        plan.storm.len(),
        options.fail * 100.0
    ));
    receiver.set(|weather| weather.fails = options.fail);
    let killer = Killer::start(&stage.stack, options.seed, options.events);
    let began = Instant::now();
    let (mut forward, all_posted) = (Forward::new(), AtomicBool::new(false));
    let hurry = Hurry { stage: &stage, receiver: &receiver, sent: &sent, show: &show, seed: options.seed };
    let pace = Pace::new(BEHIND);
    let (posted, trouble, hurried) = tokio::join!(
        async {
            let posted = sender::post_all(&stage, &sent, &plan.storm, (AT_ONCE, &pace), options.seed).await;
            all_posted.store(true, Ordering::Relaxed);
            (posted, began.elapsed())
        },
        trouble(&stage, &receiver, &plan, (&sent, &all_posted), &killer, &show),
        hurry.along(&mut forward, &pace, &all_posted),
    );
    hurried?;
    let (posted, took) = posted;
    posted?;
    let endpoints = trouble?;
    let accepted_per_s = plan.storm.len() as f64 / took.as_secs_f64();
    show.say(&format!("all {} changes are accepted", sent.count()));

    show.say("time passes: later tries are due now, as they come up; the receiver and the functions still fail");
    let settled = hurry.settle(&mut forward, SETTLED_WITHIN, |delivery| delivery.state == State::Pending).await?;
    let unmended = reasons(&stage, &settled).await?;
    let kills = killer.kills();
    drop(killer);

    show.say("mended: the receiver takes everything; a person opens what is closed and retries what has failed");
    receiver.set(|weather| *weather = crate::weather::Weather::default());
    mend(&stage, &settled).await?;
    let unsettled = |delivery: &Delivery| delivery.state != State::Delivered;
    let deliveries = hurry.settle(&mut forward, MENDED_WITHIN, unsettled).await?;

    show.say("reading what is left behind");
    let accepted = sent.accepted();
    let channels = numbered(&stage, &accepted, watcher.as_ref()).await?;
    let evidence = Evidence {
        changes: options.events,
        endpoints: stage.table.list_all(&key::endpoints(stage.tenant)).await?,
        attempts: evidence::attempts(&stage.table, &deliveries).await?,
        histories: histories(&stage, &channels).await?,
        channels,
        deliveries,
        seen: receiver.seen(),
        heard: watcher.as_ref().map(Watcher::heard),
        accepted,
    };
    drop(show);
    stage.strike().await?;
    Ok(Outcome { evidence, sent, calm, accepted_per_s, kills, forward, unmended, endpoints, down: plan.down_for })
}

/// A subscriber of the whole tenant, and of a booking, a user and a provider of the calm; none without a live API.
async fn follow(stage: &Stage, plan: &Plan) -> Result<Option<Watcher>> {
    let Some(address) = &stage.stack.ws_url else { return Ok(None) };
    let mut channels = vec![Channel::Tenant];
    if let Some(change) = plan.calm.iter().chain(&plan.storm).find(|change| change.provider.is_some()) {
        channels.push(Channel::Booking(change.booking.clone()));
        channels.extend(change.users.iter().cloned().map(Channel::User));
        channels.extend(change.provider.iter().cloned().map(Channel::Provider));
    }
    let token = stage.token().await?;
    Ok(Some(Watcher::follow(format!("{address}?token={token}"), channels)))
}

/// What happens to the receiver while the storm lasts. What became of its endpoints.
async fn trouble(
    stage: &Stage,
    receiver: &Receiver,
    plan: &Plan,
    (sent, all_posted): (&Sent, &AtomicBool),
    killer: &Killer,
    show: &Show,
) -> Result<Vec<String>> {
    let mut told = Vec::new();
    let (mut down_since, mut closed, mut held) = (None::<Instant>, false, false);
    let mut is_over = false;
    while !all_posted.load(Ordering::Relaxed) || (down_since.is_some() && !is_over) {
        let posted = sent.count().saturating_sub(plan.calm.len());
        if posted >= plan.down_at && down_since.is_none() {
            receiver.set(|weather| weather.down = true);
            down_since = Some(Instant::now());
            show.say(&format!("the receiver is down, for {} s", plan.down_for.as_secs()));
        }
        let down_for = down_since.map(|since| since.elapsed());
        if !is_over && down_for.is_some() && !held {
            // Ten minutes of trouble, the least that holds an endpoint, in as long as the receiver is down.
            held = patience::age_trouble(stage, stage.endpoint("notices")?).await?;
        }
        if !is_over && down_for.is_some_and(|time| time >= plan.down_for) {
            receiver.set(|weather| weather.down = false);
            is_over = true;
            show.say("the receiver is up again");
            for endpoint in stage.table.list_all(&key::endpoints(stage.tenant)).await? {
                let state = format!("{:?}", endpoint.state).to_lowercase();
                told.push(format!("{} {state}", endpoint.name));
            }
        }
        if posted >= plan.closed_at && !closed {
            closed = true;
            receiver.set(|weather| weather.closed.extend(["lives".to_owned()]));
            show.say("the webhook of \"lives\" is closed: it answers 410");
        }
        let kills: usize = killer.kills().values().sum();
        show.at(receiver.taken(), &format!("{} accepted, {kills} killed", sent.count()));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(told)
}

/// Brings forward what waits until everything is settled.
struct Hurry<'a> {
    stage: &'a Stage,
    receiver: &'a Receiver,
    sent: &'a Sent,
    show: &'a Show,
    seed: u64,
}

impl Hurry<'_> {
    /// While changes are posted: says how far they are ahead.
    async fn along(&self, forward: &mut Forward, pace: &Pace, all_posted: &AtomicBool) -> Result<()> {
        while !all_posted.load(Ordering::Relaxed) {
            let looked = Instant::now();
            let accepted = self.sent.count();
            let deliveries = evidence::deliveries(&self.stage.table, self.stage.tenant).await?;
            let pending = deliveries.iter().filter(|delivery| delivery.state == State::Pending).count();
            pace.look(accepted.saturating_sub(deliveries.len()) + pending, accepted);
            patience::bring_forward(self.stage, &deliveries, forward).await?;
            patience::sweep(self.stage).await;
            tokio::time::sleep(LOOK.max(looked.elapsed() * 4)).await;
        }
        Ok(())
    }

    /// Until nothing is left that `waits`; the deliveries as they are then.
    async fn settle(
        &self,
        forward: &mut Forward,
        within: Duration,
        waits: impl Fn(&Delivery) -> bool,
    ) -> Result<Vec<Delivery>> {
        let began = Instant::now();
        let mut dice = Dice::of(self.seed, &[5]);
        loop {
            let looked = Instant::now();
            let deliveries = evidence::deliveries(&self.stage.table, self.stage.tenant).await?;
            let waiting: Vec<&Delivery> = deliveries.iter().filter(|delivery| waits(delivery)).collect();
            if (waiting.is_empty() && !deliveries.is_empty()) || began.elapsed() > within {
                return Ok(deliveries);
            }
            let told = format!("{} of {} wait", waiting.len(), deliveries.len());
            self.show.at(self.receiver.taken(), &told);
            // Some messages twice, for the sake of it.
            let pending = waiting.iter().filter(|delivery| delivery.state == State::Pending);
            let twice: Vec<&Delivery> = pending.copied().filter(|_| dice.comes(0.05)).take(20).collect();
            sender::queue_again(self.stage, self.sent, &twice).await?;
            patience::bring_forward(self.stage, &deliveries, forward).await?;
            patience::probe_now(self.stage).await?;
            patience::sweep(self.stage).await;
            // Looking at ten thousand rows costs the emulator more than a delivery: most of the time is theirs.
            tokio::time::sleep(LOOK.max(looked.elapsed() * 4)).await;
        }
    }
}

/// How deliveries stand, with their reasons.
async fn reasons(stage: &Stage, deliveries: &[Delivery]) -> Result<BTreeMap<String, usize>> {
    let endpoints = stage.table.list_all(&key::endpoints(stage.tenant)).await?;
    let mut counted = BTreeMap::new();
    for delivery in deliveries {
        let endpoint = endpoints.iter().find(|endpoint| endpoint.id == delivery.endpoint);
        let reason = match delivery.state {
            State::Delivered => None,
            State::Parked => endpoint.and_then(|endpoint| endpoint.reason.clone()),
            _ => delivery.last.clone().map(|last| format!("after {} attempts: {last}", delivery.attempts)),
        };
        let state = format!("{:?}", delivery.state).to_lowercase();
        let name = reason.map_or_else(|| state.clone(), |reason| format!("{state}, {reason}"));
        *counted.entry(name).or_default() += 1;
    }
    Ok(counted)
}

/// What a person does: opens what is closed, retries what has failed or died.
async fn mend(stage: &Stage, deliveries: &[Delivery]) -> Result<()> {
    let token = stage.token().await?;
    for endpoint in stage.table.list_all(&key::endpoints(stage.tenant)).await? {
        if endpoint.state.parks() {
            let path = format!("/api/v1/endpoints/{}/enable", endpoint.id);
            let opened = stage.call_slowly(Method::POST, &path, &token, Some(&json!({}))).await?;
            if opened.status != 200 {
                return Err(format!("{} is not opened: {} {}", endpoint.name, opened.status, opened.body).into());
            }
        }
    }
    for delivery in deliveries.iter().filter(|delivery| matches!(delivery.state, State::Failed | State::Dead)) {
        let path = format!("/api/v1/deliveries/{}/retry", delivery.id);
        let started = stage.call_slowly(Method::POST, &path, &token, Some(&json!({}))).await?;
        if started.status != 202 {
            return Err(format!("{} is not retried: {} {}", delivery.id, started.status, started.body).into());
        }
    }
    Ok(())
}

/// The numbers of all channels, once every event has its number and the subscriber has heard the last.
async fn numbered(
    stage: &Stage,
    accepted: &[evidence::Accepted],
    watcher: Option<&Watcher>,
) -> Result<BTreeMap<Channel, Vec<shared::live::Entry>>> {
    let began = Instant::now();
    loop {
        let mut level = true;
        let heard = watcher.map(Watcher::heard).unwrap_or_default();
        for channel in heard.by_channel.keys().chain([&Channel::Tenant]) {
            let last = head(&stage.table, stage.tenant, channel).await?;
            level &= watcher.is_none_or(|watcher| watcher.last(channel) >= last);
            level &= *channel != Channel::Tenant || last >= accepted.len() as u64;
        }
        if level || began.elapsed() > MENDED_WITHIN {
            return evidence::channels(&stage.table, stage.tenant, accepted).await;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What the history routes tell of users and providers, and of some bookings, page by page.
async fn histories(
    stage: &Stage,
    channels: &BTreeMap<Channel, Vec<shared::live::Entry>>,
) -> Result<BTreeMap<Channel, Vec<(u64, EventId)>>> {
    const BOOKINGS: usize = 25;
    let token = stage.token().await?;
    let bookings = channels.keys().filter(|channel| matches!(channel, Channel::Booking(_))).take(BOOKINGS);
    let people = channels.keys().filter(|channel| matches!(channel, Channel::User(_) | Channel::Provider(_)));
    let told = futures::stream::iter(bookings.chain(people).cloned())
        .map(|channel| {
            let token = &token;
            async move { history(stage, token, &channel).await.map(|told| told.map(|told| (channel, told))) }
        })
        .buffer_unordered(4)
        .collect::<Vec<Result<_>>>()
        .await;
    told.into_iter().filter_map(Result::transpose).collect()
}

/// One history from its beginning; nothing where there is no such route.
async fn history(stage: &Stage, token: &str, channel: &Channel) -> Result<Option<Vec<(u64, EventId)>>> {
    let path = match channel {
        Channel::Booking(id) => format!("/api/v1/bookings/{id}/events"),
        Channel::User(id) => format!("/api/v1/users/{id}/booking-events"),
        Channel::Provider(id) => format!("/api/v1/providers/{id}/booking-events"),
        Channel::Tenant => return Ok(None),
    };
    let mut told = Vec::new();
    let mut query = "since=0&limit=100".to_owned();
    loop {
        let page = stage.call_slowly(Method::GET, &format!("{path}?{query}"), token, None).await?;
        // The gateway's own 404 has no problem document.
        if page.status == 404 && page.body["type"].is_null() {
            return Ok(None);
        }
        let data = &page.body["data"];
        let Some(events) = data["events"].as_array() else {
            return Err(format!("{path}: {} {}", page.status, page.body).into());
        };
        for event in events {
            let id = event["event"]["event_id"].as_str().unwrap_or_default().parse()?;
            told.push((event["number"].as_u64().unwrap_or_default(), id));
        }
        match data["next_cursor"].as_str() {
            Some(cursor) => query = format!("since=0&limit=100&cursor={cursor}"),
            None => return Ok(Some(told)),
        }
    }
}

//! `$default`: what a client says. It is answered on its socket; nothing that it says ends the connection.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    http::Fields,
    key,
    limit::{Limits, Rate},
    listener::Listener,
    live::Channel,
    metrics,
    socket::{Reached, Said},
};

use crate::{
    leave::leave,
    ping,
    pump::{Bounds, Pump},
    replays::Replays,
    subscribe,
    told::Told,
    unsubscribe,
};

/// One message is worked on for so long at most: API Gateway waits for 29 seconds.
const WORKING: Duration = Duration::from_secs(20);
/// So many events one message may bring: posts take some milliseconds each.
const MOST: usize = 2_000;
/// A connection may say 60 things at once, and 60 a minute.
const WORDS: Rate = Rate { burst: 60, period_ms: 60_000, fails_open: true };

/// What listening needs.
pub struct Deps {
    /// Sends, by a consistent table.
    pub pump: Pump,
    /// How much each connection says.
    pub limits: Limits,
    /// So many events one message may bring.
    pub most: usize,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        let (table, sockets, stage) = (aws.table()?.consistent(), aws.sockets()?, aws.setting("STAGE"));
        Ok(Self { pump: Pump { table, sockets, stage }, limits: Limits::default(), most: MOST })
    }
}

/// What a client asks for.
enum Asked {
    Subscribe(Channel, Option<u64>),
    Unsubscribe(Channel),
    Ping,
}

/// May come twice: subscribing anew replaces, the rest changes nothing.
pub async fn handle(deps: &Deps, said: Said) -> Result<()> {
    let Pump { table, sockets, .. } = &deps.pump;
    if let Some(wait) = too_many(deps, &said).await? {
        let told = Told::of_error(&wait, None).text()?;
        return sockets.post(&said.connection, &told).await.map(drop).or(Ok(()));
    }
    let Some(listener) = heard(deps, &said).await? else {
        // Nobody knows it: its client connects anew.
        return sockets.close(&said.connection).await.map(drop);
    };
    if said.now >= listener.expires_at() {
        // It was told before. Whoever has a fresh token comes back with it.
        sockets.close(&said.connection).await?;
        return leave(table, said.person.tenant, &said.connection).await;
    }

    let asked = read(&said.text);
    let about = match &asked {
        Ok(Asked::Subscribe(channel, _) | Asked::Unsubscribe(channel)) => Some(channel.clone()),
        _ => None,
    };
    let done = match asked {
        Ok(asked) => act(deps, &said, listener, asked).await,
        Err(error) => Err(error),
    };
    let reached = match done {
        Ok(reached) => reached,
        Err(error) => {
            log(&error, about.as_ref());
            sockets
                .post(&said.connection, &Told::of_error(&error, about.as_ref()).text()?)
                .await
                .unwrap_or(Reached::There)
        }
    };
    match reached {
        Reached::There => Ok(()),
        Reached::Gone => leave(table, said.person.tenant, &said.connection).await,
    }
}

/// What is the client's own fault is told to it alone.
fn log(error: &Error, about: Option<&Channel>) {
    let channel = about.map(ToString::to_string);
    if !error.answer().0.is_server_error() {
        return;
    }
    metrics::count("LiveFailures", 1);
    if error.is_transient() {
        tracing::warn!(channel, error = ?error, "a message has to be said again: {error}");
    } else {
        tracing::error!(channel, error = ?error, "a message was not worked on: {error}");
    }
}

/// Before anything else is done for a message, whatever it says.
async fn too_many(deps: &Deps, said: &Said) -> Result<Option<Error>> {
    let who = format!("live/{}", said.connection);
    let now = said.now.as_millisecond();
    Ok(deps.limits.draw(&deps.pump.table, said.person.tenant, &who, WORDS, now).await?.passed().err())
}

/// Notes that its client is there. `None` for a connection that is not known.
async fn heard(deps: &Deps, said: &Said) -> Result<Option<Listener>> {
    let key = || key::listener(said.person.tenant, &said.connection);
    let Some(mut listener) = deps.pump.table.find_now(key()).await? else { return Ok(None) };
    listener.heard_at = said.now;
    let noted = deps.pump.table.change::<Listener>(key()).set("heard_at", said.now);
    noted.index(Some(key::listeners_by(listener.next_look()))).when_there().send().await
}

async fn act(deps: &Deps, said: &Said, listener: Listener, asked: Asked) -> Result<Reached> {
    let Deps { pump, limits, most } = deps;
    let bounds = Bounds { until: Instant::now() + WORKING, most: *most };
    let replays = Replays { table: &pump.table, limits, person: &said.person, now: said.now.as_millisecond() };
    match asked {
        Asked::Subscribe(channel, since) => subscribe::run(pump, &replays, listener, &channel, since, bounds).await,
        Asked::Unsubscribe(channel) => unsubscribe::run(pump, listener, &channel).await,
        Asked::Ping => ping::run(pump, &replays, &listener, Timestamp::now(), bounds).await,
    }
}

fn read(text: &str) -> Result<Asked> {
    let Ok(Value::Object(object)) = serde_json::from_str(text) else {
        return Err(Error::invalid("", "a message is a JSON object"));
    };
    let mut fields = Fields::new(object, "");
    let action: Option<String> = fields.required("action");
    match action.as_deref() {
        Some("subscribe") => {
            let (channel, since) = (fields.required("channel"), fields.optional("since"));
            fields.build(|| Some(Asked::Subscribe(channel?, since)))
        }
        Some("unsubscribe") => {
            let channel = fields.required("channel");
            fields.build(|| Some(Asked::Unsubscribe(channel?)))
        }
        Some("ping") => fields.build(|| Some(Asked::Ping)),
        Some(_) => Err(Error::invalid("/action", "must be subscribe, unsubscribe or ping")),
        None => fields.build(|| None),
    }
}

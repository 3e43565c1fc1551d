//! One run: what is measured, in which order, against which budget.

use std::{path::PathBuf, time::Instant};

use serde_json::Value;
use tokio::runtime::Runtime;

use crate::{
    Options, Result, allocations,
    binaries::{CALLBACK, COUNTED, EMPTY, MEASURED, PROBE, RECEIVE, SEND, Workspace},
    business::{self, Business},
    call,
    cloud::Cloud,
    cost, dashboard, histogram,
    node::Node,
    report::{Report, at_least, at_most},
    runtime_api::Program,
    sample::{median, mib, quantile},
    sending,
    start::{self, Starts, Variant},
    warm, way,
};

/// How many deliveries the queue hands over at once, and how many are under way at any time.
const BATCH: usize = 50;
/// What the receiver of the throughput takes to answer.
const THINKS_MS: u64 = 100;
/// A tenant has at most so many endpoints; the pace of each is limited.
const ENDPOINTS: usize = 20;

/// How often things are repeated.
struct Scale {
    starts: usize,
    calls: usize,
    /// Blocks, and calls of each.
    warm: (usize, usize),
    /// For each of the tenants that deliver.
    deliveries: usize,
    /// Numbers of events that dashboards are asked about.
    activity: [usize; 2],
}

impl Scale {
    const FULL: Self = Self { starts: 21, calls: 15, warm: (9, 1_000), deliveries: 2_000, activity: [1_000, 10_000] };
    const QUICK: Self = Self { starts: 5, calls: 5, warm: (3, 300), deliveries: 600, activity: [500, 2_000] };
}

/// What is measured with, and where it is written down.
struct Run<'a> {
    scale: Scale,
    workspace: &'a Workspace,
    place: PathBuf,
    runtime: Runtime,
    cloud: Cloud,
    node: Result<Node>,
    report: Report,
    began: Instant,
}

/// Takes all figures.
pub fn take(options: &Options) -> Result<Report> {
    let began = Instant::now();
    let workspace = Workspace::read()?;
    let place = workspace.place()?;
    let all: Vec<&str> = workspace.functions().collect();
    let functions = if options.all { all } else { MEASURED.into() };
    if !options.no_build {
        eprintln!(
            "building {} functions and 3 yardsticks as they are shipped: up to a minute each, where they have changed",
            functions.len()
        );
        workspace.build(&functions)?;
    }
    let heaviest = heaviest(&workspace, &functions)?;
    let node = Node::set_up(&place);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let cloud = runtime.block_on(Cloud::start(&place))?;

    let mut run = Run {
        scale: if options.quick { Scale::QUICK } else { Scale::FULL },
        place,
        runtime,
        cloud,
        node,
        report: Report::default(),
        began,
        workspace: &workspace,
    };
    run.starts(&heaviest)?;
    run.first_calls()?;
    run.empty_invocations()?;
    run.events()?;
    run.sizes(&functions)?;
    run.costs()?;
    run.deliveries()?;
    run.dashboards()?;
    run.histograms();
    Ok(run.report)
}

fn heaviest(workspace: &Workspace, functions: &[&str]) -> Result<String> {
    let mut sizes = functions.iter().map(|name| Ok((workspace.size(name)?, *name))).collect::<Result<Vec<_>>>()?;
    sizes.sort_unstable();
    sizes.last().map(|(_, name)| (*name).to_owned()).ok_or_else(|| "there are no functions".into())
}

impl Run<'_> {
    fn say(&self, what: &str) {
        eprintln!("{:>4} s  {what}", self.began.elapsed().as_secs());
    }

    fn program(&self, binary: &str, arguments: &[&str]) -> Program {
        Program {
            name: [&[binary], arguments].concat().join("-"),
            path: self.workspace.binary(binary),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            environment: self.cloud.environment(),
            logs: self.place.clone(),
        }
    }

    fn node_program(&self) -> Option<Program> {
        let node = self.node.as_ref().ok()?;
        Some(Program {
            name: "node".into(),
            path: node.program.clone(),
            arguments: vec![node.handler.display().to_string()],
            environment: self.cloud.environment(),
            logs: self.place.clone(),
        })
    }

    /// What to say in the place of Node's figure.
    fn beside_node(&self, figure: impl FnOnce() -> Option<String>) -> String {
        match &self.node {
            Ok(node) => format!("Node {}: {}", node.version, figure().unwrap_or_default()),
            Err(why) => format!("no Node: {why}"),
        }
    }

    fn open(&self, endpoints: usize, thinks_ms: u64) -> Result<Business> {
        self.runtime.block_on(Business::open(&self.cloud, &self.cloud.receiver, endpoints, thinks_ms))
    }

    fn starts(&mut self, heaviest: &str) -> Result<()> {
        self.say(&format!("starting each {} times", self.scale.starts));
        let business = self.open(1, 0)?;
        let variant = |program, takes_events: bool| Variant {
            program,
            first: takes_events.then(|| Box::new(|| business.webhook()) as Box<dyn Fn() -> Vec<u8>>),
        };
        let mut names = vec![RECEIVE];
        names.extend([heaviest, SEND].into_iter().filter(|name| *name != RECEIVE));
        names.dedup();
        let mut variants: Vec<Variant<'_>> =
            names.iter().map(|&name| variant(self.program(name, &[]), name == RECEIVE)).collect();
        variants.push(variant(self.program(EMPTY, &[]), false));
        variants.extend(self.node_program().map(|program| variant(program, true)));
        let seen = start::measure(&variants, self.scale.starts)?;
        drop(variants);

        let empty = &seen[names.len()];
        let node = seen.get(names.len() + 1);
        let beside = |starts: &Starts| format!("{:.1} ms", median(&starts.init));
        for (name, starts) in names.iter().zip(&seen) {
            let what = if *name == heaviest {
                format!("start to first poll, heaviest: {name}")
            } else {
                format!("start to first poll: {name}")
            };
            let yardstick = format!("empty: {}; {}", beside(empty), self.beside_node(|| node.map(beside)));
            self.report.judge(what, &at_most(15.0, "ms", 1), median(&starts.init), yardstick);
        }
        let at = |name: &str| names.iter().position(|one| *one == name).map_or(empty, |at| &seen[at]);
        if let Some(node) = node {
            let ratio = median(&at(heaviest).init) / median(&node.init);
            self.report.judge(
                "  the heaviest, as a part of Node's",
                &at_most(0.1, "×", 3),
                ratio,
                "booking-events-receive, unprimed",
            );
        }
        let (starts, told) = (at(heaviest), |starts: &Starts| {
            format!("{:.1} ms, {:.1} MiB", median(&starts.cpu), median(&starts.memory))
        });
        let yardstick = format!("empty: {}; {}", told(empty), self.beside_node(|| node.map(told)));
        self.report.tell(
            "  CPU and memory by then, heaviest",
            format!("{}; p90 of starts {:.1} ms", told(starts), quantile(&starts.init, 0.9)),
            yardstick,
        );
        let first = |starts: &Starts| format!("{:.1} ms", median(&starts.first));
        let yardstick = self.beside_node(|| node.map(first));
        self.report.tell("first event of a process, to its 202", first(at(RECEIVE)), yardstick);
        Ok(())
    }

    fn first_calls(&mut self) -> Result<()> {
        self.say("first AWS calls");
        let unprimed = call::measure(&self.program(PROBE, &["queue"]), self.scale.calls)?;
        let primed = call::measure(&self.program(PROBE, &["table"]), self.scale.calls)?;
        let later = |calls: &call::Calls| format!("later: {:.2} ms", median(&calls.later));
        self.report.judge(
            "first AWS call, unprimed (SendMessage)",
            &at_most(8.0, "ms", 2),
            median(&unprimed.first),
            later(&unprimed),
        );
        self.report.judge(
            "first AWS call, primed (GetItem)",
            &at_most(1.0, "ms", 2),
            median(&primed.first),
            later(&primed),
        );
        let without = self.workspace.is_without_jitter()?;
        let said = if without { "built with it" } else { "built without it" };
        self.report.check("AWS_LC_SYS_NO_JITTER_ENTROPY", "in force", said, without);
        Ok(())
    }

    fn empty_invocations(&mut self) -> Result<()> {
        self.say("empty warm invocations");
        let programs = [self.program(PROBE, &["empty"]), self.program(EMPTY, &[])];
        let event = || business::call("GET", "/api/nothing", "", "", "");
        let seen = warm::measure(&programs, event, |answer| answer["statusCode"] == 200, self.scale.warm)?;
        let [ours, empty] = &*seen else { return Err("two programs were measured".into()) };
        let yardstick = format!("empty lambda_http: {:.0} µs", empty.cpu());
        self.report.judge("CPU of an empty warm invocation", &at_most(110.0, "µs", 0), ours.cpu(), yardstick);
        self.report.judge(
            "  as a multiple of an empty lambda_http",
            &at_most(1.3, "×", 2),
            ours.cpu() / empty.cpu(),
            "",
        );
        Ok(())
    }

    fn events(&mut self) -> Result<()> {
        self.say("booking events");
        let business = self.open(1, 0)?;
        let mut programs = vec![self.program(RECEIVE, &[])];
        programs.extend(self.node_program());
        let blocks = (self.scale.warm.0, self.scale.warm.1 / 5);
        let seen = warm::measure(&programs, || business.webhook(), |answer| answer["statusCode"] == 202, blocks)?;
        let node = seen.get(1);
        let memory = |warm: &warm::Warm| format!("{:.1} MiB", warm.memory);
        let yardstick = self.beside_node(|| node.map(memory));
        self.report.judge(
            format!("memory after 200 calls: {RECEIVE}"),
            &at_most(16.0, "MiB", 1),
            seen[0].memory,
            yardstick,
        );
        let told = |warm: &warm::Warm| {
            format!("{:.2} / {:.2} ms, {:.0} µs", quantile(&warm.took, 0.5), quantile(&warm.took, 0.99), warm.cpu())
        };
        let yardstick = self.beside_node(|| node.map(told));
        self.report.tell("one booking event, to its 202: p50 / p99, CPU", told(&seen[0]), yardstick);
        if self.workspace.binary(CALLBACK).exists() {
            let callback = [self.program(CALLBACK, &[])];
            let event =
                || business::call("GET", "/api/v1/crm-integration/oauth/callback/zoho", "state=none&code=none", "", "");
            let seen = warm::measure(
                &callback,
                event,
                |answer| answer["statusCode"].as_u64().is_some_and(|status| status < 500),
                (1, 1),
            )?;
            self.report.judge(
                format!("memory after 200 calls: {CALLBACK}"),
                &at_most(16.0, "MiB", 1),
                seen[0].memory,
                "",
            );
        }
        Ok(())
    }

    fn sizes(&mut self, functions: &[&str]) -> Result<()> {
        let mut sizes =
            functions.iter().map(|name| Ok((mib(self.workspace.size(name)?), *name))).collect::<Result<Vec<_>>>()?;
        sizes.sort_by(|a, b| a.0.total_cmp(&b.0));
        let [(least, smallest), .., (most, largest)] = *sizes else { return Err("fewer than two functions".into()) };
        let values: Vec<f64> = sizes.iter().map(|(size, _)| *size).collect();
        let empty = mib(self.workspace.size(EMPTY)?);
        let all = functions.len() == self.workspace.functions().count();
        let of = format!("{}{}", if all { "all " } else { "" }, sizes.len());
        self.report.judge(
            format!("a shipped binary, the largest of {of}: {largest}"),
            &at_most(8.0, "MiB", 2),
            most,
            format!("empty: {empty:.2} MiB"),
        );
        self.report.tell(
            "  smallest and middle",
            format!("{least:.2} MiB ({smallest}), {:.2} MiB", median(&values)),
            "",
        );
        if all {
            for (size, name) in &sizes {
                self.report.tell(format!("  {name}"), format!("{size:.2} MiB"), "");
            }
        }
        Ok(())
    }

    fn costs(&mut self) -> Result<()> {
        self.say("capacity units");
        let cost = self.runtime.block_on(cost::measure(&self.cloud))?;
        let size = format!("delivered as {} bytes", cost.bytes);
        self.report.judge("accepting an event of 1 kB", &at_most(2.0, "WCU", 1), cost.accepted, size);
        // Nothing to judge: the table does not tell the units of a write that it refuses.
        let refused = format!("not reported; AWS bills a refused put like the first: {:.1} WCU", cost.accepted);
        let stored = if cost.stored_once { "stored once" } else { "STORED TWICE" };
        self.report.tell("  a duplicate of it", stored, refused);
        let (writes, reads) = cost.delivered;
        self.report.judge("one successful delivery: writes", &at_most(6.0, "WCU", 1), writes, "");
        self.report.judge("  reads", &at_most(2.0, "RCU", 1), reads, "");
        self.way()
    }

    /// The same on the whole way of an event, live channels and context included.
    fn way(&mut self) -> Result<()> {
        let way = self.runtime.block_on(way::measure())?;
        let used = |(writes, reads): (f64, f64)| format!("{writes:.1} WCU, {reads:.1} RCU");
        let (writes, reads) = (way.routed.0 + way.sent.0, way.routed.1 + way.sent.1);
        self.report.judge("  with context from what is kept: writes", &at_most(6.0, "WCU", 1), writes, "");
        self.report.judge("  reads", &at_most(2.0, "RCU", 1), reads, "");
        let parts = format!("door {}; route and send {writes:.1} WCU, {reads:.1} RCU", used(way.door));
        self.report.tell("an event from door to log, all of it", used(way.whole()), parts);
        self.report.tell("  keeping what it says, its numbers in five channels", used(way.numbered), "");
        self.report.tell("  and for each who follows one of them", used(way.pushed), "");
        Ok(())
    }

    fn deliveries(&mut self) -> Result<()> {
        let count = self.scale.deliveries;
        let prepare = |thinks_ms| -> Result<Vec<Value>> {
            let business = self.open(ENDPOINTS, thinks_ms)?;
            self.runtime.block_on(business.deliveries(&self.cloud, count))
        };
        self.say("deliveries: memory");
        let memory = sending::measure(&self.cloud, &self.program(SEND, &[]), &prepare(0)?, count / 200, false)?;
        self.say("deliveries: batches, one after the other");
        let batches = sending::measure(&self.cloud, &self.program(SEND, &[]), &prepare(THINKS_MS)?, BATCH, true)?;
        self.say("deliveries: always as many under way");
        let steady = sending::measure(&self.cloud, &self.program(SEND, &[]), &prepare(THINKS_MS)?, count / 2, true)?;

        let what = format!("memory after 200 calls of {} deliveries: {SEND}", count / 200);
        self.report.judge(what, &at_most(16.0, "MiB", 1), memory.memory, "");
        let core = |sent: &sending::Sent| {
            let whose = if sent.alone { "a core of its own" } else { "no core of its own" };
            format!("{whose}: {:.0} µs each, {:.0} µs around it; {:.1} MiB", sent.cpu, sent.around, sent.memory)
        };
        let what = format!("deliveries, {BATCH} in flight, receiver {THINKS_MS} ms");
        self.report.judge(what, &at_least(400.0, "/s", 0), steady.whole_rate, core(&steady));
        self.report.tell("  the same, its middle 80 %", format!("{:.0} /s", steady.middle_rate), "");
        let what = format!("  in batches of {BATCH}, each waiting for its slowest");
        self.report.tell(what, format!("{:.0} /s", batches.whole_rate), core(&batches));
        self.one_delivery()
    }

    /// What one delivery takes of the function itself: the table and the receiver are another process.
    fn one_delivery(&mut self) -> Result<()> {
        let business = self.open(ENDPOINTS, 0)?;
        let prepare = || self.runtime.block_on(business.deliveries(&self.cloud, self.scale.deliveries / 4));
        self.say("deliveries: one after the other");
        let alone = sending::measure(&self.cloud, &self.program(SEND, &[]), &prepare()?, 1, true)?;
        self.say("deliveries: what they allocate");
        let allocated = allocations::measure(&self.program(COUNTED, &[]), &prepare()?)?;
        let around = format!("{:.0} µs around it: table, TLS, receiver", alone.around);
        self.report.tell("one delivery by itself, its batch included: CPU", format!("{:.0} µs", alone.cpu), around);
        let told = format!("{:.0}, {:.0} KiB", allocated.allocations, allocated.bytes / 1024.0);
        let more = format!("{:.0} grown in place; {:.0} bytes not given back", allocated.reallocations, allocated.kept);
        self.report.tell("  allocations", told, more);
        Ok(())
    }

    fn dashboards(&mut self) -> Result<()> {
        let [few, many] = self.scale.activity;
        self.say(&format!("dashboards over {few} and {many} events"));
        let small = self.runtime.block_on(dashboard::measure(&self.cloud, few))?;
        let large = self.runtime.block_on(dashboard::measure(&self.cloud, many))?;

        let yardstick = format!("over {few}: {:.1} RCU", small.cold);
        self.report.judge(
            format!("a KPI query, cold, over {many} events"),
            &at_most(4.0, "RCU", 1),
            large.cold,
            yardstick,
        );
        let what = format!("  over {} times as many", 1 << dashboard::DOUBLED);
        self.report.judge(
            what,
            &at_most(4.0, "RCU", 1),
            large.cold_of_many,
            "every snapshot's counts doubled ten times",
        );
        self.report.judge("  cached, in another process", &at_most(1.0, "RCU", 1), large.cached, "");
        let told = |(writes, reads): (f64, f64)| format!("{writes:.0} WCU, {reads:.0} RCU");
        self.report.check(
            "aggregating again, with nothing new",
            &format!("as over {few} events"),
            told(large.again),
            large.again.0 <= small.again.0 && large.again.1 <= small.again.1,
        );
        self.report.tell(
            "  after one late event",
            told(large.late),
            format!("over {few} events: {}", told(small.late)),
        );
        self.report.tell(
            format!("  {many} events for the first time"),
            told(large.folded),
            format!("{few} events: {}", told(small.folded)),
        );
        Ok(())
    }

    fn histograms(&mut self) {
        let hour = histogram::measure();
        let what = format!("an hour's histogram of {} values", histogram::VALUES);
        self.report.judge(what, &at_most(1024.0, "bytes", 0), hour.bytes as f64, "");
        self.report.judge("  its error up to p99.9", &at_most(1.0, "%", 2), hour.error, "");
    }
}

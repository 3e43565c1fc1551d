//! The way of one message, in the hour in which it was sent: how far it came, whatever the order of what is told of it.
//!
//! Networks report in any order and leave out steps: whoever read it has received it, and what was delivered after
//! all has not failed.

use shared::{
    activity::{Channel, What},
    snapshot::{Credit, Metric},
};

use super::{Ledger, Note};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reached {
    Skipped,
    Sent,
    Failed,
    Delivered,
    Read,
}

fn reached(what: What) -> Option<Reached> {
    match what {
        What::DeliverySkipped => Some(Reached::Skipped),
        What::DeliverySent => Some(Reached::Sent),
        What::DeliveryFailed => Some(Reached::Failed),
        What::DeliveryDelivered => Some(Reached::Delivered),
        What::DeliveryRead => Some(Reached::Read),
        _ => None,
    }
}

pub(super) fn tell(reports: &[Note], ledger: &mut Ledger) {
    let sent = reports.iter().find(|report| report.what == What::DeliverySent).or(reports.first());
    let furthest = reports.iter().filter_map(|report| reached(report.what)).max();
    let (Some(sent), Some(furthest)) = (sent, furthest) else { return };
    let told = |field: fn(&Note) -> &Option<String>| {
        field(sent).clone().or_else(|| reports.iter().find_map(|report| field(report).clone()))
    };
    let by =
        Credit { agent: told(|report| &report.agent_id), team: told(|report| &report.team), channel: sent.channel };
    let [all, delivered, read, failed, skipped, awaiting] = match sent.channel {
        Channel::Whatsapp => [
            Metric::WaSent,
            Metric::WaDelivered,
            Metric::WaRead,
            Metric::WaFailed,
            Metric::WaSkipped,
            Metric::WaAwaiting,
        ],
        _ => [
            Metric::OtherSent,
            Metric::OtherDelivered,
            Metric::OtherRead,
            Metric::OtherFailed,
            Metric::OtherSkipped,
            Metric::OtherAwaiting,
        ],
    };
    ledger.count(sent.hour, &by, all, 1);
    match furthest {
        Reached::Skipped => ledger.count(sent.hour, &by, skipped, 1),
        Reached::Sent => ledger.count(sent.hour, &by, awaiting, 1),
        Reached::Failed => ledger.count(sent.hour, &by, failed, 1),
        Reached::Delivered => ledger.count(sent.hour, &by, delivered, 1),
        Reached::Read => {
            ledger.count(sent.hour, &by, delivered, 1);
            ledger.count(sent.hour, &by, read, 1);
        }
    }
}

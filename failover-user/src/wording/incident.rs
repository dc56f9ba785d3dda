//! What incidents come to.

use crate::{
    history::{How, Incident, Layer},
    named::Value,
    wording::state::{Outcome, outcome, progress},
};

/// What an incident was, in a few words.
pub(crate) fn headline(incident: &Incident) -> String {
    let states = incident
        .phases
        .iter()
        .filter_map(|phase| match &phase.state {
            Value::Known(state) => Some(*state),
            // Of a later version.
            Value::Unknown(_) => None,
        });
    let came_to = states.max_by_key(|state| progress(*state));
    match came_to.map_or(Outcome::NoTakeover(None), outcome) {
        Outcome::Takeover => match incident.ended.as_ref().map(|ending| &ending.how) {
            None => "TAKEOVER".to_owned(),
            Some(Value::Known(how)) => format!("TAKEOVER, {}", after_takeover(*how)),
            Some(Value::Unknown(how)) => format!("TAKEOVER, {how}"),
        },
        Outcome::NoTakeover(Some(why)) => format!("NO TAKEOVER: {why}"),
        Outcome::NoTakeover(None) => "probe failures, no takeover".to_owned(),
    }
}

const fn after_takeover(how: How) -> &'static str {
    match how {
        How::Released => "released",
        How::Recovered => "recovered",
        How::DaemonEnded => "then the daemon stopped",
        How::DaemonKilled => "then the daemon was killed",
    }
}

/// How an incident ended.
pub(crate) fn ending(how: &Value<How>) -> &str {
    match how {
        Value::Known(How::Released) => "released",
        Value::Known(How::Recovered) => "recovered",
        Value::Known(How::DaemonEnded) => "the daemon stopped",
        Value::Known(How::DaemonKilled) => "the daemon was killed",
        Value::Unknown(how) => how,
    }
}

/// What a failed probe counted for.
pub(crate) const fn probe(strike: bool, layer: &Value<Layer>) -> &'static str {
    match (strike, layer) {
        (true, _) => "strike",
        (false, Value::Known(Layer::Unknown)) => "unknown",
        (false, Value::Known(Layer::Connect | Layer::Answer) | Value::Unknown(_)) => "not a strike",
    }
}

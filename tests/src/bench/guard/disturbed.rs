//! Hosts that are taken for lost although they are well: none is wanted, however busy the machine is.
//! Afterwards the host is really lost, to show how long it then takes to find out.

use std::{io::Write as _, path::Path, process::ExitCode, thread, time::Duration};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{Disturbance, Event, failover::Site};
use crate::{bench::progress, lab::Process, moment::Moment, openclaw_unit};

/// Busy loops.
const LOOPS: usize = 8;
/// Between two looks at what is heard.
const LOOK: Duration = Duration::from_millis(200);

/// What was seen while PC-A was well.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// The guard was silent beyond the limit, at a look.
    silences: u32,
    /// PC-B served, at a look, or was about to.
    taken_over: u32,
    longest_limit: Duration,
}

pub(super) fn run(disturbance: Disturbance, period: Duration, failover: &Path) -> Result<ExitCode> {
    let mut site = Site::new(failover)?;
    site.start_guard()?;
    site.begin_to_ask();
    site.await_ready()?;
    progress(&format!("{period:?} with a disturbed PC-A that is well"));
    let _disturbed = disturb(&site, disturbance)?;
    let seen = watch(&site, period);
    let loss = site.lose(Event::HostLoss)?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{disturbance:?} for {period:?}: taken over without a loss: {}; silent at {} looks; limit at most {:?}; then a \
         real loss, PC-B answers after {:.3} s",
        seen.taken_over,
        seen.silences,
        seen.longest_limit,
        loss.nobody.as_secs_f64()
    )
    .context("printing the result")?;
    Ok(match seen.taken_over {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

fn disturb(site: &Site, disturbance: Disturbance) -> Result<Vec<Process>> {
    let a = site.lab().host_a();
    let loops = match disturbance {
        Disturbance::Load => LOOPS,
    };
    let busy = |_| {
        let mut busy = a.command("sh");
        busy.args(["-c", "while :; do :; done"]);
        a.spawn(&mut busy)
    };
    (0..loops).map(busy).collect()
}

fn watch(site: &Site, period: Duration) -> Seen {
    let mut seen = Seen::default();
    let end = Moment::now() + period;
    while Moment::now() < end {
        thread::sleep(LOOK);
        let Some(status) = openclaw_unit::status(site.standby().machine()) else {
            continue;
        };
        let text = |pointer: &str| status.pointer(pointer).and_then(Value::as_str);
        seen.silences += u32::from(text("/guard/hearing") == Some("silence"));
        let stands_by = matches!(text("/state"), Some("standby" | "suspect"));
        seen.taken_over += u32::from(!stands_by);
        let limit = status
            .pointer("/guard/limit_milliseconds")
            .and_then(Value::as_u64);
        let limit = Duration::from_millis(limit.unwrap_or_default());
        seen.longest_limit = seen.longest_limit.max(limit);
    }
    seen
}

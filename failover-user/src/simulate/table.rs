//! The report as text: one column for each contender.

use std::fmt::Write as _;

use crate::simulate::report::{Report, Summary};

/// One line of the table: its label and its value.
type Line = (&'static str, fn(&Summary) -> String);

const LINES: [Line; 20] = [
    ("takeovers per year", |of| rate(of.takeovers_per_year)),
    ("  false", |of| rate(of.false_per_year)),
    ("outages, takeover due", |of| rate(of.needed_per_year)),
    ("  missed", |of| rate(of.missed_per_year)),
    ("time to takeover, p50", |of| time(of.takeover.p50)),
    ("  p99", |of| time(of.takeover.p99)),
    ("  longest", |of| time(of.takeover.max)),
    ("time to release, p50", |of| time(of.release.p50)),
    ("  p99", |of| time(of.release.p99)),
    ("  longest", |of| time(of.release.max)),
    ("two gateways, per year", |of| time(of.two_per_year)),
    ("  PC-B has a network", |of| time(of.two_connected_per_year)),
    ("  one is stopping", |of| time(of.two_stopping_per_year)),
    ("no gateway, per year", |of| time(of.none_per_year)),
    ("  PC-B unavailable", |of| time(of.none_helpless_per_year)),
    ("  PC-B available", |of| time(of.none_avoidable_per_year)),
    ("probes per day", |of| format!("{:.0}", of.probes_per_day)),
    ("takeovers, total", |of| of.takeovers.to_string()),
    ("  false", |of| of.false_takeovers.to_string()),
    ("invariant violations", |of| of.violated.to_string()),
];

/// The lines for each model.
const IN_SHORT: [Line; 4] = [
    ("false takeovers per year", |of| rate(of.false_per_year)),
    ("two gateways, per year", |of| time(of.two_per_year)),
    ("no gateway, per year", |of| time(of.none_per_year)),
    ("  PC-B available", |of| time(of.none_avoidable_per_year)),
];

/// The whole report as text.
#[must_use]
pub fn table(report: &Report) -> String {
    let mut text = format!("{} days, seed {}, all models\n", report.days, report.seed);
    lines(&mut text, &report.all, &LINES);
    for model in &report.models {
        // Writing into a String can't fail.
        let _ = write!(text, "\n{} ({})\n", model.model, model.source);
        lines(&mut text, &model.contenders, &IN_SHORT);
    }
    for contender in &report.all {
        for violation in &contender.violations {
            let _ = writeln!(text, "{}: {violation}", contender.name);
        }
    }
    text
}

fn lines(text: &mut String, contenders: &[Summary], lines: &[Line]) {
    let widths: Vec<usize> = contenders
        .iter()
        .map(|of| of.name.chars().count().max(10) + 2)
        .collect();
    let mut line = |name: &str, cells: Vec<String>| {
        let _ = write!(text, "{name:<24}");
        for (cell, width) in cells.iter().zip(&widths) {
            let _ = write!(text, "{cell:>width$}");
        }
        text.push('\n');
    };
    line("", contenders.iter().map(|of| of.name.clone()).collect());
    for (name, cell) in lines {
        line(name, contenders.iter().map(cell).collect());
    }
}

fn rate(per_year: f64) -> String {
    format!("{per_year:.2}")
}

/// Seconds in a suitable unit.
pub(super) fn time(seconds: f64) -> String {
    if seconds < 300.0 {
        format!("{seconds:.1} s")
    } else if seconds < 7200.0 {
        format!("{:.1} min", seconds / 60.0)
    } else {
        format!("{:.1} h", seconds / 3600.0)
    }
}

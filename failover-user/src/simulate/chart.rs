//! A simulation as a chart: histograms of the times, and a timeline of one outage. SVG with nothing
//! from outside.

use std::{fmt::Write as _, time::Duration};

use failover_decide::Time;

use crate::simulate::{
    report::number,
    simulation::Simulation,
    statistics::View,
    story::{BEFORE, outage, spans},
    table::time,
};

const WIDTH: f64 = 960.0;
const MARGIN: f64 = 24.0;
/// Where a row's drawing begins, right of its name.
const LEFT: f64 = 200.0;
const ROW: f64 = 70.0;
const LANE: f64 = 26.0;
const BINS: usize = 40;

/// Colours that differ in brightness, too.
const TAKEOVER: &str = "#b04a2f";
const RELEASE: &str = "#2f6f9f";
const PRIMARY: &str = "#4c9f70";
const LOCAL: &str = "#d59a2e";
const LINE: &str = "#999999";

/// The whole chart, as SVG.
#[must_use]
pub fn chart(simulation: &Simulation) -> String {
    let mut drawing = Drawing::default();
    drawing.text(
        MARGIN,
        18.0,
        "failover simulate: takeover, release and one outage",
    );
    let all: Vec<_> = simulation.all().collect();
    drawing.histograms(
        "Time to takeover: from the primary's failure until the local gateway listens",
        TAKEOVER,
        all.iter()
            .map(|(name, of)| (*name, of.takeover_times.as_slice())),
    );
    drawing.histograms(
        "Time to release: from the primary's recovery until the local gateway has stopped",
        RELEASE,
        all.iter()
            .map(|(name, of)| (*name, of.release_times.as_slice())),
    );
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    drawing.timeline(&names, &simulation.stories);
    drawing.finished()
}

#[derive(Default)]
struct Drawing {
    body: String,
    /// How far down it goes.
    y: f64,
}

impl Drawing {
    fn finished(self) -> String {
        let height = self.y + MARGIN;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n{}</svg>\n",
            self.body
        )
    }

    // Writing into a String can't fail.

    fn text(&mut self, x: f64, y: f64, text: &str) {
        let text = escaped(text);
        let _ = writeln!(self.body, "<text x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>");
        self.y = self.y.max(y);
    }

    fn bar(&mut self, x: f64, y: f64, size: (f64, f64), colour: &str, title: &str) {
        let (width, height) = size;
        let title = escaped(title);
        let _ = writeln!(
            self.body,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             fill=\"{colour}\"><title>{title}</title></rect>"
        );
        self.y = self.y.max(y + height);
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let _ = writeln!(
            self.body,
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" \
             stroke=\"{LINE}\"/>"
        );
        self.y = self.y.max(y1).max(y2);
    }

    /// One histogram for each contender, all with the same axis.
    fn histograms<'a>(
        &mut self,
        title: &str,
        colour: &str,
        rows: impl Iterator<Item = (&'a str, &'a [Duration])> + Clone,
    ) {
        // The longest few would squeeze all the others into one bar.
        let reach = rows.clone().map(|(_, times)| most(times)).max();
        let reach = reach.unwrap_or_default().as_secs_f64().max(1.0);
        self.heading(title);
        for (name, times) in rows {
            let top = self.y + 8.0;
            let counts = counts(times, reach);
            let highest = counts.iter().copied().max().unwrap_or(0).max(1);
            let width = (WIDTH - LEFT - MARGIN) / number(BINS as u64);
            let mut x = LEFT;
            for (bin, count) in (0_u64..).zip(counts) {
                let height = ROW * number(count) / number(highest);
                let from = time(reach * number(bin) / number(BINS as u64));
                if count > 0 {
                    let size = (width - 1.0, height);
                    let label = format!("{count} of {} from {from}", times.len());
                    self.bar(x, top + ROW - height, size, colour, &label);
                }
                x += width;
            }
            self.text(MARGIN, top + ROW - 4.0, name);
            self.line((LEFT, top + ROW), (WIDTH - MARGIN, top + ROW));
        }
        let axis = self.y + 16.0;
        for quarter in 0..4_u32 {
            let part = f64::from(quarter) / 4.0;
            let x = LEFT + (WIDTH - LEFT - MARGIN) * part;
            self.text(x, axis, &time(reach * part));
        }
        self.text(
            WIDTH - MARGIN - 110.0,
            axis,
            &format!("{} and more", time(reach)),
        );
    }

    /// Who served during one outage.
    fn timeline(&mut self, names: &[&str], stories: &[Vec<(Time, View)>]) {
        let Some((from, until)) = stories.first().and_then(|story| outage(story)) else {
            return;
        };
        self.heading("One outage: the primary (green) and each local gateway (yellow)");
        let scale = (WIDTH - LEFT - MARGIN) / until.since(from).as_secs_f64();
        let x = |time: Time| LEFT + time.since(from).as_secs_f64() * scale;
        let lanes = std::iter::once(("the primary", PRIMARY, stories.first())).chain(
            names
                .iter()
                .zip(stories)
                .map(|(name, story)| (*name, LOCAL, Some(story))),
        );
        for (number, (name, colour, story)) in lanes.enumerate() {
            let top = self.y + 6.0;
            self.text(MARGIN, top + LANE - 8.0, name);
            for (begin, end) in spans(story.map_or(&[], Vec::as_slice), |view| {
                if number == 0 {
                    view.primary
                } else {
                    view.local
                }
            }) {
                let (begin, end) = (begin.max(from), end.min(until));
                if begin < end {
                    let label = time(end.since(begin).as_secs_f64());
                    self.bar(
                        x(begin),
                        top,
                        (x(end) - x(begin), LANE - 6.0),
                        colour,
                        &label,
                    );
                }
            }
            self.line((LEFT, top + LANE), (WIDTH - MARGIN, top + LANE));
        }
        let axis = self.y + 16.0;
        let length = until.since(from);
        for quarter in 0..=3_u32 {
            let at = from + length * quarter / 4;
            // Counted from the loss.
            let seconds = at.since(from).as_secs_f64() - BEFORE.as_secs_f64();
            self.text(x(at), axis, &format!("{seconds:.0} s"));
        }
    }

    fn heading(&mut self, title: &str) {
        let y = self.y + 34.0;
        let _ = write!(self.body, "<g font-weight=\"bold\">");
        self.text(MARGIN, y, title);
        let _ = writeln!(self.body, "</g>");
    }
}

/// The time that 99 of 100 don't exceed.
fn most(times: &[Duration]) -> Duration {
    let seconds = crate::simulate::report::Times::of(times).p99;
    crate::simulate::chance::seconds(seconds)
}

/// How many of the times fall into each bin; the last one takes all that are longer.
fn counts(times: &[Duration], reach: f64) -> [u64; BINS] {
    let mut counts = [0; BINS];
    for time in times {
        let limit = |bin: u64| reach * number(bin + 1) / number(BINS as u64);
        let bin = (0..BINS as u64).position(|bin| time.as_secs_f64() < limit(bin));
        if let Some(count) = counts.get_mut(bin.unwrap_or(BINS - 1)) {
            *count += 1;
        }
    }
    counts
}

/// Text that is safe inside an element. What XML can't hold at all becomes a question mark.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut safe, character| {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            control if control.is_control() => safe.push('?'),
            other => safe.push(other),
        }
        safe
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_the_chart() {
        assert_eq!(escaped("a<b>&\"\u{1b}"), "a&lt;b&gt;&amp;&quot;?");
    }

    #[test]
    fn every_time_is_in_one_bin() {
        let times: Vec<Duration> = (0..100).map(Duration::from_secs).collect();
        let counts = counts(&times, 40.0);
        assert_eq!(counts[0], 1);
        assert_eq!(counts[BINS - 1], 61);
        assert_eq!(counts.iter().sum::<u64>(), 100);
    }
}

//! The last hours as a chart: one strip each for states, probes, strikes and kernel events, with time
//! from left to right. Drawn wide and low, and stretched to whatever the screen has; words stand beside it,
//! so that they are readable on a phone.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    time::Duration,
};

use jiff::Timestamp;

use failover_decide::{StateKind, Time};

use crate::web::{
    timeline::{REACH, SLOT, Slot},
    view::View,
};

/// What it can show: the shortest that holds all there is.
const SPANS: [Duration; 3] = [
    Duration::from_secs(15 * 60),
    Duration::from_secs(3600),
    REACH,
];
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;
/// A pixel or two on any screen: what was short must be seen.
const NARROWEST: f64 = 3.0;
const MOST_COLUMNS: u32 = 180;
/// Probes that take a tenth of a millisecond and ten seconds, in powers of ten of microseconds.
const FASTEST: f64 = 2.0;
const SLOWEST: f64 = 7.0;
/// So high is what took no time.
const LOWEST: f64 = 0.2;

struct Window {
    begin: Time,
    span: Duration,
}

impl Window {
    fn of(view: &View) -> Self {
        let first = view.timeline.slots(Time::default()).next();
        let first = first.map(|slot| slot.begin());
        let first = first
            .into_iter()
            .chain(view.timeline.states().map(|(at, _)| at));
        let age = first
            .min()
            .map_or(Duration::ZERO, |first| view.now.since(first));
        let span = SPANS.into_iter().find(|span| age <= *span).unwrap_or(REACH);
        let begin = view.now.as_duration().saturating_sub(span);
        Self {
            begin: Time::from_boot(begin),
            span,
        }
    }

    /// How far to the right.
    fn x(&self, at: Time) -> f64 {
        (at.since(self.begin).as_secs_f64() / self.span.as_secs_f64() * WIDTH).min(WIDTH)
    }

    fn column(&self) -> Duration {
        (self.span / MOST_COLUMNS).max(SLOT)
    }
}

/// As HTML.
pub(crate) fn render(view: &View) -> String {
    let window = Window::of(view);
    let columns = columns(view, &window);
    let mut html = String::new();
    // Writing to a string doesn't fail.
    let _ = states(&mut html, view, &window);
    let _ = probes(&mut html, &window, &columns);
    let strikes = |slot: &Slot| slot.strikes;
    let _ = marks(
        &mut html,
        &window,
        &columns,
        ("Strikes", "strikes"),
        strikes,
    );
    let kernel = |slot: &Slot| slot.kernel;
    let _ = marks(
        &mut html,
        &window,
        &columns,
        ("Kernel events", "kernel"),
        kernel,
    );
    let _ = axis(&mut html, &window);
    html
}

fn columns(view: &View, window: &Window) -> BTreeMap<u128, Slot> {
    let width = window.column().as_nanos().max(1);
    let mut columns: BTreeMap<u128, Slot> = BTreeMap::new();
    for slot in view.timeline.slots(window.begin) {
        let number = slot.begin().as_duration().as_nanos() / width;
        let column = columns.entry(number).or_default();
        *column = column.and(slot);
    }
    columns
}

/// Where a column begins and how wide it is.
fn place(window: &Window, number: u128) -> (f64, f64) {
    let width = window.column();
    let nanoseconds = number.saturating_mul(width.as_nanos());
    let begin = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
    let begin = Time::from_boot(begin);
    let (left, right) = (window.x(begin), window.x(begin + width));
    (left, (right - left - 0.8).max(NARROWEST))
}

fn strip(html: &mut String, name: &str, class: &str, about: &str) -> fmt::Result {
    write!(
        html,
        "<p class=\"strip\">{name}</p><svg class=\"{class}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{about}\">"
    )
}

fn states(html: &mut String, view: &View, window: &Window) -> fmt::Result {
    strip(html, "State", "states", "The states one after the other")?;
    let states: Vec<(Time, StateKind)> = view.timeline.states().collect();
    let mut seen: Vec<StateKind> = Vec::new();
    for (index, (begin, state)) in states.iter().enumerate() {
        let end = states.get(index + 1).map_or(view.now, |(next, _)| *next);
        if end <= window.begin {
            continue;
        }
        let (left, right) = (window.x(*begin), window.x(end));
        let width = (right - left).max(NARROWEST);
        let name = state.name();
        write!(
            html,
            "<rect class=\"s-{name}\" x=\"{left:.1}\" y=\"0\" width=\"{width:.1}\" height=\"{HEIGHT}\">\
             <title>{name}</title></rect>"
        )?;
        if !seen.contains(state) {
            seen.push(*state);
        }
    }
    html.push_str("</svg><p class=\"legend\">");
    for name in seen.into_iter().map(StateKind::name) {
        write!(html, "<span class=\"key s-{name}\">{name}</span> ")?;
    }
    html.push_str("</p>");
    Ok(())
}

fn probes(html: &mut String, window: &Window, columns: &BTreeMap<u128, Slot>) -> fmt::Result {
    strip(html, "Probe latency", "probes", "Probe latency")?;
    for (number, slot) in columns {
        let class = match slot {
            Slot { failed: 1.., .. } => "p-failed",
            Slot { unknown: 1.., .. } => "p-unknown",
            Slot { answered: 1.., .. } => "p-answered",
            _ => continue,
        };
        let (x, width) = place(window, *number);
        let microseconds = slot.slowest.as_secs_f64() * 1e6;
        let share = (microseconds.max(1.0).log10() - FASTEST) / (SLOWEST - FASTEST);
        let height = share.clamp(LOWEST, 1.0) * HEIGHT;
        write!(
            html,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\">\
             <title>{} answered, {} failed, {} unknown; slowest {:.1?}</title></rect>",
            HEIGHT - height,
            slot.answered,
            slot.failed,
            slot.unknown,
            slot.slowest
        )?;
    }
    html.push_str("</svg>");
    Ok(())
}

fn marks(
    html: &mut String,
    window: &Window,
    columns: &BTreeMap<u128, Slot>,
    (name, class): (&str, &str),
    of: impl Fn(&Slot) -> u16,
) -> fmt::Result {
    strip(html, name, class, name)?;
    for (number, slot) in columns {
        let count = of(slot);
        if count == 0 {
            continue;
        }
        let (x, width) = place(window, *number);
        // One is seen, ten are more, a thousand are not endless.
        let height = ((f64::from(count).log10() + 1.0) / 3.0).min(1.0) * HEIGHT;
        write!(
            html,
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\">\
             <title>{count}</title></rect>",
            HEIGHT - height
        )?;
    }
    html.push_str("</svg>");
    Ok(())
}

/// The wall clock's times, a quarter apart.
fn axis(html: &mut String, window: &Window) -> fmt::Result {
    let now = Timestamp::now();
    html.push_str("<p class=\"axis\">");
    for quarter in (0..=4_u32).rev() {
        let at = now.checked_sub(window.span / 4 * quarter).unwrap_or(now);
        write!(html, "<span>{}</span>", at.strftime("%H:%M"))?;
    }
    html.push_str("</p>");
    Ok(())
}

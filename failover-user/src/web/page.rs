//! The page: the document for people's eyes. Whatever comes from outside is text and stays text.

use std::fmt::{self, Write as _};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    status::{Note, Protection, Status},
    web::{View, chart as picture},
};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Without a script the page is asked for again this often, in seconds.
const REFRESH: u32 = 10;
/// More notes than this are scrolling, not looking.
const MOST_NOTES: usize = 24;

/// The page, and the content security policy that goes with it.
pub(super) struct Page {
    pub(super) html: String,
    pub(super) policy: String,
}

/// The whole page.
pub(super) fn render(view: &View) -> Page {
    let nonce = nonce();
    let mut body = String::new();
    for (name, part) in parts_of(view) {
        let _ = write!(body, "<section id=\"{name}\">{part}</section>");
    }
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <title>{title}</title><link rel=\"icon\" href=\"data:,\">\
         <noscript><meta http-equiv=\"refresh\" content=\"{REFRESH}\"></noscript>\
         <style nonce=\"{nonce}\">{STYLE}</style></head>\
         <body data-now=\"{now}\"><p id=\"silence\" role=\"alert\" hidden></p><main>{body}</main>\
         <footer>failover {version}, process {pid}. All times are UTC. \
         <a href=\"status.json\">status.json</a> <a href=\"metrics\">metrics</a></footer>\
         <script nonce=\"{nonce}\">{SCRIPT}</script></body></html>",
        title = Html(&title(&view.status)),
        now = milliseconds(&view.status.heartbeat),
        version = Html(&view.status.program),
        pid = view.status.pid,
    );
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    Page { html, policy }
}

/// What changes, as JSON, for a page that is open.
pub(super) fn parts(view: &View) -> String {
    let parts: serde_json::Map<_, _> = parts_of(view)
        .into_iter()
        .map(|(name, part)| (name.to_owned(), part.into()))
        .collect();
    json!({
        "title": title(&view.status),
        "now": milliseconds(&view.status.heartbeat),
        "parts": parts,
    })
    .to_string()
}

fn parts_of(view: &View) -> [(&'static str, String); 4] {
    let status = &view.status;
    [
        ("now", now(status).unwrap_or_default()),
        ("picture", picture::render(view)),
        ("facts", facts(status).unwrap_or_default()),
        ("recent", recent(status).unwrap_or_default()),
    ]
}

fn title(status: &Status) -> String {
    let verdict = match status.protection() {
        Protection::Safe => "",
        Protection::Degraded => "(degraded) ",
        Protection::Unsafe => "! ",
    };
    let host = match status.host.as_str() {
        "" => String::new(),
        host => format!(" - {host}"),
    };
    format!("{verdict}{}{host} - failover", status.state)
}

/// What a person wants to know first: who serves, and is it safe?
fn now(status: &Status) -> Result<String, fmt::Error> {
    let mut html = String::new();
    let class = match status.protection() {
        Protection::Safe => "safe",
        Protection::Degraded => "degraded",
        Protection::Unsafe => "unsafe",
    };
    write!(
        html,
        "<div class=\"head\"><h1 class=\"s-{state}\">{state}</h1>",
        state = Html(&status.state),
    )?;
    for mark in status.marks() {
        write!(html, "<p class=\"verdict mark\">{}</p>", Html(&mark))?;
    }
    write!(
        html,
        "<p class=\"verdict {class}\">{verdict}</p></div><p class=\"meaning\">{meaning}</p>",
        verdict = status.verdict(),
        meaning = match status.dual_active_since {
            Some(_) => "The primary and the local gateway both serve.",
            None => meaning(&status.state),
        },
    )?;
    html.push_str("<div class=\"hosts\">");
    let (class, answers) = primary(status);
    host(
        &mut html,
        "PC-A, the primary",
        class,
        answers,
        &status.primary,
    )?;
    let gateway = &status.gateway;
    let (class, listens) = match (gateway.listening, gateway.foreign) {
        (true, false) => ("serves", "serves"),
        (true, true) => ("fails", "port taken by something else"),
        (false, _) => ("idle", "stands by"),
    };
    let port = format!("port {}", gateway.port);
    let place = match status.host.as_str() {
        "" => port,
        host => format!("{host}, {port}"),
    };
    host(&mut html, "PC-B, this machine", class, listens, &place)?;
    html.push_str("</div>");
    for (class, sentences) in [
        ("problems", &status.problems),
        ("warnings", &status.warnings),
    ] {
        if !sentences.is_empty() {
            write!(html, "<ul class=\"{class}\">")?;
            for sentence in sentences {
                write!(html, "<li>{}</li>", Html(sentence))?;
            }
            html.push_str("</ul>");
        }
    }
    write!(html, "<p class=\"since\">Since {}", Moment(&status.since))?;
    if !status.reason.is_empty() {
        write!(html, ": {}", Html(&status.reason))?;
    }
    html.push_str("</p>");
    Ok(html)
}

fn host(html: &mut String, name: &str, class: &str, does: &str, place: &str) -> fmt::Result {
    write!(
        html,
        "<div class=\"host {class}\"><p class=\"name\">{name}</p><p class=\"does\">{does}</p>\
         <p class=\"place\">{}</p></div>",
        Html(place)
    )
}

/// As the last probe has it.
fn primary(status: &Status) -> (&'static str, &'static str) {
    let outcome = status.last_probe.as_ref().map(|probe| &*probe.outcome);
    match outcome {
        None => ("idle", "not probed yet"),
        Some(outcome) if outcome.starts_with("connected") => ("serves", "answers"),
        Some(outcome) if outcome.starts_with("unknown") => ("idle", "can't be probed"),
        Some(_) => ("fails", "doesn't answer"),
    }
}

fn meaning(state: &str) -> &'static str {
    match state {
        "standby" => "The primary serves; this machine watches.",
        "suspect" => "The last probes failed, too few to act.",
        "isolated" => "No witness answers: this machine itself is cut off, so nothing is started.",
        "fencing" => "The primary has failed, and is being made sure of.",
        "starting" => "The primary has failed; the local gateway is being started.",
        "active" => "The local gateway serves.",
        "restarting" => "The local gateway doesn't answer; it is being started again.",
        "stopping" => "The primary is back; the local gateway is being stopped.",
        "paused" => {
            "The primary has failed, and a pause keeps the local gateway from being started."
        }
        "released" => "Released by hand: nothing is started for now.",
        "unarmed" => "The primary was never seen healthy, so nothing is started.",
        "blocked" => "Something else has the local port, so nothing can be started.",
        _ => "",
    }
}

fn facts(status: &Status) -> Result<String, fmt::Error> {
    let mut html = String::from("<dl>");
    let text = |text: &str| Html(text).to_string();
    let mut fact = |name: &str, value: String| {
        let _ = write!(html, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    };
    if let Some(probe) = &status.last_probe {
        let told = format!("{}, {}", Html(&probe.outcome), Moment(&probe.at));
        fact("Last probe", told);
    }
    let strikes = &status.strikes;
    let mut told = format!("{} of {}", strikes.len(), status.strikes_needed);
    for strike in strikes {
        told.push_str(&format!(
            "<br>{} {}",
            Moment(&strike.at),
            Html(&strike.outcome)
        ));
    }
    fact("Strikes", told);
    if let Some(readiness) = &status.readiness {
        fact("Primary says", text(&readiness.to_string()));
    }
    let gateway = match status.gateway.listening {
        true => text(&status.gateway.held_by),
        false => "nobody listens".to_owned(),
    };
    fact("Local gateway", gateway);
    if let Some(witnesses) = &status.witnesses {
        let mut told = match (witnesses.answered, &witnesses.at) {
            _ if witnesses.quorum == 0 => "none counts, so none is asked".to_owned(),
            (Some(answered), Some(at)) => {
                let quorum = witnesses.quorum;
                format!("{answered} answered, {quorum} needed, {}", Moment(at))
            }
            _ => format!(
                "{} needed, not asked yet: {}",
                witnesses.quorum,
                Html(&witnesses.names.join(", "))
            ),
        };
        for answer in &witnesses.answers {
            told.push_str(&format!("<br>{}", Html(&answer.said)));
        }
        fact("Witnesses", told);
        if let Some(router) = &witnesses.router {
            fact("Default router", text(&router.to_string()));
        }
    }
    if status.release_needs > 1 {
        let told = format!("takes {} successes in a row", status.release_needs);
        fact("Release", told);
    }
    if status.forced {
        fact("By order", "serves whatever the primary does".to_owned());
    }
    if let Some(until) = &status.held_until {
        fact("Takes over again", Moment(until).to_string());
    }
    fact("Kernel events", text(&status.kernel_events.to_string()));
    let totals = &status.totals;
    let told = format!(
        "takeovers: {}, releases: {}",
        totals.takeovers, totals.releases
    );
    fact("Since it began", told);
    if let Some(next) = &status.next {
        fact("Next", Moment(next).to_string());
    }
    html.push_str("</dl>");
    Ok(html)
}

fn recent(status: &Status) -> Result<String, fmt::Error> {
    if status.recent.is_empty() {
        return Ok(String::new());
    }
    let mut html = String::from("<h2>What happened last</h2><ol>");
    for note in status.recent.iter().rev().take(MOST_NOTES) {
        let Note {
            at,
            since,
            count,
            kind,
            text,
        } = note;
        write!(
            html,
            "<li class=\"k-{}\"><span class=\"when\">{}</span> <span class=\"what\">{}",
            Html(kind),
            Clock(at),
            Html(text)
        )?;
        if *count > 1 {
            write!(
                html,
                " <span class=\"count\">{count} times since {}</span>",
                Clock(since)
            )?;
        }
        html.push_str("</span></li>");
    }
    html.push_str("</ol>");
    Ok(html)
}

/// A number that no other page can guess: what has it is ours.
fn nonce() -> String {
    let mut bytes = [0_u8; 16];
    // It waits for nothing: long before a daemon starts, the kernel has what it needs (getrandom(2)).
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    match filled {
        Ok(_) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        // Nothing is styled or run then, and everything can be read.
        Err(_) => String::new(),
    }
}

fn milliseconds(time: &str) -> i64 {
    time.parse::<Timestamp>()
        .map_or(0, Timestamp::as_millisecond)
}

/// Text that is no markup, wherever it is put.
struct Html<'text>(&'text str);

impl fmt::Display for Html<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => formatter.write_str("&amp;")?,
                '<' => formatter.write_str("&lt;")?,
                '>' => formatter.write_str("&gt;")?,
                '"' => formatter.write_str("&quot;")?,
                '\'' => formatter.write_str("&#39;")?,
                control if control.is_control() => formatter.write_str("\u{fffd}")?,
                other => formatter.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// A time of day, with the date if it isn't today's.
struct Clock<'text>(&'text str);

impl fmt::Display for Clock<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(time) = self.0.parse::<Timestamp>() else {
            return Html(self.0).fmt(formatter);
        };
        let is_near = Timestamp::now().duration_since(time).abs() < SignedDuration::from_hours(12);
        let format = if is_near {
            "%H:%M:%S"
        } else {
            "%Y-%m-%d %H:%M"
        };
        write!(
            formatter,
            "<time datetime=\"{time}\">{}</time>",
            time.strftime(format)
        )
    }
}

/// The same with how long ago that is, which the script keeps true.
struct Moment<'text>(&'text str);

impl fmt::Display for Moment<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", Clock(self.0))?;
        let Ok(time) = self.0.parse::<Timestamp>() else {
            return Ok(());
        };
        let seconds = Timestamp::now().duration_since(time).as_secs();
        let age = match seconds.unsigned_abs() {
            seconds @ 0..120 => format!("{seconds} s"),
            seconds @ 120..7200 => format!("{} min", seconds / 60),
            seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
            seconds => format!("{} days", seconds / 86400),
        };
        let told = if seconds < 0 {
            format!("in {age}")
        } else {
            format!("{age} ago")
        };
        write!(
            formatter,
            " <small>(<span class=\"age\" data-at=\"{}\">{told}</span>)</small>",
            time.as_millisecond()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        status::{Testimony, Witnesses, sample},
        web::{View, metrics::Probes, timeline::Timeline},
    };
    use failover_decide::Time;

    const HOSTILE: &str = "<script>alert(1)</script>\" onload='x' &amp; \u{1b}[31m";

    fn view() -> View {
        View {
            now: Time::from_boot(std::time::Duration::from_secs(100)),
            status: sample(),
            timeline: Timeline::default(),
            probes: Probes::default(),
        }
    }

    #[test]
    fn hostile_text_stays_text_wherever_it_comes_from() {
        let mut view = view();
        let status = &mut view.status;
        for text in [
            &mut status.state,
            &mut status.reason,
            &mut status.primary,
            &mut status.since,
            &mut status.program,
            &mut status.host,
            &mut status.gateway.held_by,
        ] {
            HOSTILE.clone_into(text);
        }
        status.witnesses = Some(Witnesses {
            quorum: 1,
            answered: Some(0),
            at: Some(HOSTILE.to_owned()),
            names: vec![HOSTILE.to_owned()],
            answers: vec![Testimony {
                witness: HOSTILE.to_owned(),
                answered: false,
                said: HOSTILE.to_owned(),
            }],
            router: None,
        });
        status.gateway.listening = true;
        status.problems.push(HOSTILE.to_owned());
        status.warnings.push(HOSTILE.to_owned());
        status.kernel_events.reason = Some(HOSTILE.to_owned());
        status.recent.push(Note {
            at: HOSTILE.to_owned(),
            since: HOSTILE.to_owned(),
            count: 2,
            kind: HOSTILE.to_owned(),
            text: HOSTILE.to_owned(),
        });
        let Page { html, .. } = render(&view);
        assert_eq!(html.matches("<script").count(), 1, "{html}");
        assert!(!html.contains("onload='x'"), "{html}");
        assert!(!html.contains('\u{1b}'), "{html}");
        // A line break would end the event.
        assert!(!parts(&view).contains('\n'));
    }

    #[test]
    fn two_gateways_and_a_pause_are_in_the_headline_and_the_colour_is_that_of_the_protection() {
        let mut view = view();
        view.status.state = "active".to_owned();
        view.status.gateway.listening = true;
        view.status.protection = Protection::Degraded;
        let html = render(&view).html;
        let verdict =
            "<p class=\"verdict degraded\">degraded: PC-B serves, and nothing stands behind it</p>";
        assert!(html.contains(verdict), "{html}");
        assert!(html.contains("<title>(degraded) active"), "{html}");
        assert!(!html.contains("verdict mark"), "{html}");
        view.status.dual_active_since = Some("2026-01-01T00:00:00Z".to_owned());
        view.status.problems.push("two gateways serve".to_owned());
        view.status.paused = Some(crate::status::Pause {
            since: "2026-01-01T00:00:00Z".to_owned(),
            until: None,
            reason: Some(HOSTILE.to_owned()),
        });
        let html = render(&view).html;
        for part in [
            "<p class=\"verdict unsafe\">NOT SAFE</p>",
            "<p class=\"verdict mark\">TWO GATEWAYS SERVE</p>",
            "<p class=\"verdict mark\">PAUSED until `failover resume`</p>",
            "<title>! active",
            "both serve",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
    }

    #[test]
    fn nothing_runs_or_is_styled_but_what_bears_the_pages_own_number() {
        let (one, other) = (render(&view()), render(&view()));
        assert_ne!(one.policy, other.policy);
        let nonce = one.policy.split("'nonce-").nth(1).unwrap();
        let nonce = nonce.split('\'').next().unwrap();
        assert_eq!(nonce.len(), 32);
        assert_eq!(one.html.matches(&format!("nonce=\"{nonce}\"")).count(), 2);
        for forbidden in [" style=", " onclick=", "http://", "https://", "//cdn"] {
            assert!(!one.html.contains(forbidden), "{forbidden}");
        }
    }
}

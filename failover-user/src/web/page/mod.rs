//! The page: the snapshot as HTML. All text from outside is escaped.

mod facts;
mod html;
#[cfg(test)]
mod tests;

use std::fmt::{self, Write as _};

use serde_json::json;

use failover_decide::Outcome;
use failover_linux::clock;

use crate::{
    named::Named as _,
    status::{
        Protection,
        snapshot::{Holder, Snapshot},
    },
    web::{
        chart,
        page::html::{Clock, Html, Moment, nonce},
        view::View,
    },
    wording,
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
        title = Html(&title(&view.snapshot)),
        now = view.snapshot.now.as_millisecond(),
        version = env!("CARGO_PKG_VERSION"),
        pid = view.snapshot.pid,
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
        "title": title(&view.snapshot),
        "now": view.snapshot.now.as_millisecond(),
        "parts": parts,
    })
    .to_string()
}

fn parts_of(view: &View) -> [(&'static str, String); 4] {
    let snapshot = &view.snapshot;
    [
        ("now", now(snapshot).unwrap_or_default()),
        ("chart", chart::render(view)),
        ("facts", facts::facts(snapshot)),
        ("recent", recent(snapshot).unwrap_or_default()),
    ]
}

fn title(snapshot: &Snapshot) -> String {
    let verdict = match snapshot.protection {
        Protection::Safe => "",
        Protection::Degraded => "(degraded) ",
        Protection::Unsafe => "! ",
    };
    let state = snapshot.state.name();
    format!("{verdict}{state} - {} - failover", snapshot.host)
}

/// The most important first: which gateway serves, and is it safe?
fn now(snapshot: &Snapshot) -> Result<String, fmt::Error> {
    let mut html = String::new();
    let state = snapshot.state.kind();
    write!(
        html,
        "<div class=\"head\"><h1 class=\"s-{name}\">{name}</h1>",
        name = state.name(),
    )?;
    let pause = snapshot.paused.as_ref();
    let pause = pause.map(|pause| pause.until.map(|until| format!("{until:.0}")));
    let is_dual = snapshot.dual_active_since.is_some();
    for mark in wording::marks(is_dual, pause, snapshot.dry_run) {
        write!(html, "<p class=\"verdict mark\">{}</p>", Html(&mark))?;
    }
    let listening = snapshot.gateway.holder != Holder::Nobody;
    write!(
        html,
        "<p class=\"verdict {class}\">{verdict}</p></div><p class=\"meaning\">{meaning}</p>",
        class = snapshot.protection.name(),
        verdict = wording::verdict(snapshot.protection, listening),
        meaning = match is_dual {
            true => wording::DUAL_ACTIVE,
            false => wording::state::meaning(state),
        },
    )?;
    html.push_str("<div class=\"hosts\">");
    let (class, answers) = primary(snapshot);
    let address = &snapshot.primary.address;
    host(&mut html, "PC-A, the primary", class, answers, address)?;
    let (class, listens) = match &snapshot.gateway.holder {
        Holder::Gateway(_) => ("serves", "serves"),
        Holder::Foreign(_) => ("fails", "port held by another program"),
        Holder::Nobody => ("idle", "standby"),
    };
    let place = format!("{}, port {}", snapshot.host, snapshot.gateway.port);
    host(&mut html, "PC-B, this machine", class, listens, &place)?;
    html.push_str("</div>");
    let problems = snapshot.problems.iter().map(wording::problem::problem);
    sentences(&mut html, "problems", problems)?;
    let warnings = snapshot.warnings.iter().map(wording::problem::warning);
    sentences(&mut html, "warnings", warnings)?;
    write!(html, "<p class=\"since\">Since {}", Moment(snapshot.since))?;
    if let Some(explanation) = &snapshot.explanation {
        let reason = wording::reason::explanation(explanation);
        write!(html, ": {}", Html(&reason))?;
    }
    html.push_str("</p>");
    Ok(html)
}

fn sentences(
    html: &mut String,
    class: &str,
    sentences: impl ExactSizeIterator<Item = String>,
) -> fmt::Result {
    if sentences.len() == 0 {
        return Ok(());
    }
    write!(html, "<ul class=\"{class}\">")?;
    for sentence in sentences {
        write!(html, "<li>{}</li>", Html(&sentence))?;
    }
    html.push_str("</ul>");
    Ok(())
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
fn primary(snapshot: &Snapshot) -> (&'static str, &'static str) {
    match snapshot
        .primary
        .last_probe
        .as_ref()
        .map(|probe| &probe.outcome)
    {
        None => ("idle", "not probed yet"),
        Some(Outcome::Connected { .. }) => ("serves", "answers"),
        Some(Outcome::Unknown { .. }) => ("idle", "cannot be probed"),
        Some(Outcome::Failed { .. }) => ("fails", "does not answer"),
    }
}

fn recent(snapshot: &Snapshot) -> Result<String, fmt::Error> {
    if snapshot.recent.is_empty() {
        return Ok(String::new());
    }
    let mut html = String::from("<h2>Recent events</h2><ol>");
    for note in snapshot.recent.iter().rev().take(MOST_NOTES) {
        write!(
            html,
            "<li class=\"k-{}\"><span class=\"when\">{}</span> <span class=\"what\">{}",
            note.kind.name(),
            Clock(clock::wall(note.last)),
            Html(&note.text)
        )?;
        if note.count > 1 {
            write!(
                html,
                " <span class=\"count\">{} times since {}</span>",
                note.count,
                Clock(clock::wall(note.first))
            )?;
        }
        html.push_str("</span></li>");
    }
    html.push_str("</ol>");
    Ok(html)
}

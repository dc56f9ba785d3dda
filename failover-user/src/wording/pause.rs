//! What a pause changes, for the operator.

use jiff::Timestamp;

use failover_linux::escape::Escaped;

use crate::state_dir::persisted::Paused;

const LONGER: &str = "LONGER than before";

/// What is in force from now on; where another pause was, also what that was, and which is longer.
pub(crate) fn change(before: Option<&Paused>, now: &Paused) -> String {
    let in_force = format!("paused {}", end(now.until));
    let Some(before) = before else {
        return in_force;
    };
    let compared = match (before.until, now.until) {
        (None, None) => "as long as before",
        (Some(_), None) => LONGER,
        (Some(before), Some(now)) if before < now => LONGER,
        (None | Some(_), Some(_)) => "SHORTER than before",
    };
    let reason = before.reason.as_ref();
    let reason = reason.map(|reason| format!(": {}", Escaped(reason)));
    format!(
        "{in_force}, {compared}: it was paused {} ({} ordered that at {:.0}{})",
        end(before.until),
        Escaped(&before.by),
        before.since,
        reason.unwrap_or_default()
    )
}

/// Until when it lasts.
pub(crate) fn end(until: Option<Timestamp>) -> String {
    match until {
        Some(until) => format!("until {until:.0}"),
        None => "until `failover resume`".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(until: Option<&str>) -> Paused {
        Paused {
            since: "2026-11-24T03:00:00.4Z".parse().unwrap(),
            by: "root".to_owned(),
            until: until.map(|until| until.parse().unwrap()),
            reason: Some("disk\n".to_owned()),
        }
    }

    #[test]
    fn the_first_pause_says_until_when_it_lasts() {
        assert_eq!(change(None, &pause(None)), "paused until `failover resume`");
        assert_eq!(
            change(None, &pause(Some("2026-11-24T05:00:00Z"))),
            "paused until 2026-11-24T05:00:00Z"
        );
    }

    #[test]
    fn a_second_pause_says_what_was_in_force_and_whether_it_is_longer() {
        const FIVE: Option<&str> = Some("2026-11-24T05:00:00Z");
        const SIX: Option<&str> = Some("2026-11-24T06:00:00Z");
        for (before, now, word) in [
            (FIVE, SIX, "LONGER"),
            (FIVE, None, "LONGER"),
            (SIX, FIVE, "SHORTER"),
            (None, FIVE, "SHORTER"),
            (None, None, "as long as before"),
        ] {
            let text = change(Some(&pause(before)), &pause(now));
            assert!(text.contains(word), "{text}");
            assert!(text.contains(&end(pause(now).until)), "{text}");
            let was = format!("it was paused {} (root ordered", end(pause(before).until));
            assert!(text.contains(&was), "{text}");
            assert!(text.contains("03:00:00Z: disk\\n)"), "{text}");
        }
    }
}

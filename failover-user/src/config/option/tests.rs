//! A set of options that no program has: everything about them stands in their declaration.

use clap::{CommandFactory as _, Parser};

use super::*;
use crate::config::duration::{HumanDuration, hours, minutes, seconds};

option_set! {
    /// How long tea takes.
    pub(crate) struct TeaOptions => TeaValues (kettle: HumanDuration = minutes(3)) {
        /// Time to brew
        #[arg(value_name = "DURATION")]
        brew: Always<HumanDuration> = daemon().range(seconds(1), hours(1)).default(kettle);

        /// Who gets it
        #[arg(value_name = "NAME")]
        guest: Option<String> = daemon().secret().default_if(brew.get().is_zero(), "cat".to_owned());
    }
}

#[derive(Parser)]
struct Tea {
    #[command(flatten)]
    options: TeaOptions,
}

#[test]
fn an_option_that_is_declared_in_one_place_is_a_flag_a_key_and_has_help_default_and_range() {
    let help = Tea::command().render_help().to_string();
    assert!(help.contains("\nDaemon:\n"), "{help}");
    assert!(
        help.contains("--brew <DURATION>  Time to brew [default: 3m] [range: 1s to 1h]"),
        "{help}"
    );
    let flags = Tea::parse_from(["tea", "--brew=5m"]).options;
    let mut file = TeaOptions::default();
    file.set("brew", serde_json::json!("7m")).unwrap();
    file.set("guest", serde_json::json!("bob")).unwrap();
    assert!(file.set("milk", serde_json::json!(1)).is_err());
    let values = flags.or(file).resolve(minutes(1)).unwrap();
    assert_eq!(values.brew, minutes(5));
    assert_eq!(values.guest.as_deref(), Some("bob"));
    assert_eq!(values.values().unwrap()["brew"], "5m");
    // What nobody wrote follows what was passed in.
    let values = TeaOptions::default().resolve(minutes(1)).unwrap();
    assert_eq!((values.brew, values.guest), (minutes(1), None));
}

#[test]
fn a_value_out_of_range_is_refused_with_the_range() {
    let written = Tea::parse_from(["tea", "--brew=2h"]).options;
    let error = written.resolve(minutes(3)).unwrap_err();
    assert_eq!(error.option(), "brew");
    assert_eq!(
        error.to_string(),
        "brew is 2h; it must be between 1s and 1h"
    );
}

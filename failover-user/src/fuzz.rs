//! What must hold for every input of the parsers: asserted by the fuzz targets and by the property
//! tests beside each parser. Not an interface.

use std::{path::Path, str};

use failover_linux::bpf::event::KernelEvent;
pub use failover_linux::fuzz::{btf, format, stop};

use crate::{
    config::{Configuration, PrimaryAddress, file},
    gateway::command::command_line::{CommandLine, THIS_PROGRAM},
    trace::{json, text},
};

/// A record of the ring buffer: what passes is in its bounds, and one harmless line.
pub fn event(bytes: &[u8]) {
    failover_linux::fuzz::event(bytes);
    let Some(event) = KernelEvent::parse(bytes) else {
        return;
    };
    let mut line = String::new();
    json::event(&mut line, &event);
    assert_one_line(&line);
    assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok());
    line.clear();
    text::event(&mut line, &event, text::Style::default());
    assert_one_line(&line);
}

fn assert_one_line(line: &str) {
    let line = line.strip_suffix('\n');
    assert!(line.is_some_and(|line| !line.contains(char::is_control)));
}

/// A command line: its words are those of the line, and telling it is telling the same.
pub fn command_line(bytes: &[u8]) {
    let Ok(line) = str::from_utf8(bytes) else {
        return;
    };
    let Ok(command) = CommandLine::parse(line) else {
        return;
    };
    assert!(!command.program.as_os_str().is_empty());
    let words: usize = command.arguments.iter().map(String::len).sum();
    assert!(command.program.as_os_str().len() + words <= line.len());
    let told = command.to_string();
    assert!(!told.contains(char::is_control));
    // Control characters are told in another way than they are written, and so is this very program.
    let is_this_program = command.program == Path::new(THIS_PROGRAM);
    if !line.contains(char::is_control) && !is_this_program {
        assert_eq!(CommandLine::parse(&told), Ok(command));
    }
}

/// A configuration file: an error has one line with its place, and accepted values are in range.
pub fn configuration(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    let mut options = match file::parse(text) {
        Ok((options, _)) => options,
        Err(faults) => {
            assert!(!faults.is_empty());
            for (line, message) in faults {
                assert!((1..=text.matches('\n').count() + 1).contains(&line));
                assert!(!message.contains(char::is_control), "{message:?}");
            }
            return;
        }
    };
    // So that no program is looked up on this machine, and no file read.
    options.operation.dry_run = Some(true);
    options.check.check_ca = None;
    options.check.check_tls = None;
    options.check.check_token_file = None;
    match Configuration::check(options) {
        Ok(configuration) => {
            let settings = configuration.decide;
            assert!(settings.timeout <= settings.interval);
            assert!(settings.recovery_interval <= settings.interval);
            let primary = configuration.primary;
            let told = primary.to_string().parse::<PrimaryAddress>();
            assert!(told.is_ok_and(|told| told == primary));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

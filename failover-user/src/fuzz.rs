//! What must hold for every input of the parsers: asserted by the fuzz targets and by the property
//! tests beside each parser. Not an interface.

use std::{path::Path, str};

use failover_ebpf::COMM_LENGTH;

use crate::{
    config::{Configuration, PrimaryAddress, file},
    gateway::{CommandLine, THIS_PROGRAM},
    kernel::{KernelEvent, btf::Btf, format::offset},
    trace::{json, text},
};

/// A tracepoint's format file: a field that is found is in the file, with the size asked for.
pub fn format(bytes: &[u8]) {
    let Ok(format) = str::from_utf8(bytes) else {
        return;
    };
    for (name, size) in [("fd", 8), ("umyaddr", 8), ("name", 4), ("x", 1)] {
        match offset(format, name, size) {
            Ok(_) => assert!(format.contains(name)),
            // The message is one line, however the file looks.
            Err(error) => assert!(!error.to_string().contains(char::is_control)),
        }
    }
}

/// BTF: takes no more memory than the input, and ends soon.
pub fn btf(bytes: &[u8]) {
    let Ok(btf) = Btf::parse(bytes) else {
        return;
    };
    // The least that a type takes, twelve bytes; `void` takes none.
    assert!(btf.types() <= bytes.len() / 12 + 1);
    for (structure, member) in [
        ("outer", "deep.b"),
        ("inner", "b"),
        ("sock", "__sk_common.skc_net.net"),
        ("", "."),
    ] {
        if let Ok(offset) = btf.offset(structure, member) {
            assert!(offset <= u32::MAX / 8);
        }
    }
}

/// A record of the ring buffer: what passes is in its bounds and harmless to show.
pub fn event(bytes: &[u8]) {
    let Some(event) = KernelEvent::parse(bytes) else {
        return;
    };
    assert!(event.origin().comm.chars().count() <= COMM_LENGTH);
    match &event {
        KernelEvent::TcpState(change) => assert!(change.error.is_none_or(|errno| errno > 0)),
        KernelEvent::Bind(bind) => assert!(bind.result.err().is_none_or(|errno| errno > 0)),
    }
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

/// A configuration file: a mistake is told in one line with its place, what is taken is in range.
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
    options.dry_run = Some(true);
    options.check_ca = None;
    options.check_tls = None;
    options.check_token_file = None;
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

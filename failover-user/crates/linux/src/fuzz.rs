//! What must hold for every input of this crate's parsers: asserted by the fuzz targets and by the property
//! tests beside each parser. Not an interface.

use std::str;

use failover_ebpf::COMM_LENGTH;

use crate::bpf::{btf::Btf, event::KernelEvent, format::offset, stopper::StopEvent};

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

/// A record of the ring buffer: what passes is in its bounds.
pub fn event(bytes: &[u8]) {
    let Some(event) = KernelEvent::parse(bytes) else {
        return;
    };
    assert!(event.origin().comm.chars().count() <= COMM_LENGTH);
    match &event {
        KernelEvent::TcpState(change) => assert!(change.error.is_none_or(|errno| errno > 0)),
        KernelEvent::Bind(bind) => assert!(bind.result.err().is_none_or(|errno| errno > 0)),
    }
}

/// A record of the stopper's ring buffer, likewise.
pub fn stop(bytes: &[u8]) {
    let Some(stop) = StopEvent::parse(bytes) else {
        return;
    };
    assert!(stop.signal.err().is_none_or(|errno| errno > 0));
}

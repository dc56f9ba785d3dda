//! Giving back memory that only a start takes, for a program that sleeps from then on.

use std::{
    ffi::{c_int, c_void},
    ptr, slice,
};

use rustix::{
    mm::{Advice, madvise},
    param::page_size,
};

/// Gives back what was allocated and freed. The C library would keep it for later: 20 MB when the
/// kernel's BTF was read.
pub fn give_back_free_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: touches nothing but the allocator's own free lists, under its own lock.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Gives back that, and the program's pages: two thirds of them are for the command line, the
/// configuration and loading. Whatever is needed is taken from the file again, or from the cache.
pub fn give_back() {
    give_back_free_memory();
    // SAFETY: the function is of the kind that is called, and needs no data.
    unsafe { libc::dl_iterate_phdr(Some(give_back_code), ptr::null_mut()) };
}

/// Of the program or a library.
unsafe extern "C" fn give_back_code(
    object: *mut libc::dl_phdr_info,
    _size: usize,
    _data: *mut c_void,
) -> c_int {
    // SAFETY: valid while this runs (dl_iterate_phdr(3)).
    let object = unsafe { &*object };
    if object.dlpi_phdr.is_null() {
        return 0;
    }
    // SAFETY: as above; so many headers, which nobody changes.
    let headers = unsafe { slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into()) };
    for header in headers {
        if header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W == 0 {
            give_back_pages(object.dlpi_addr + header.p_vaddr, header.p_memsz);
        }
    }
    0
}

/// Of a segment that nobody writes to.
fn give_back_pages(begin: u64, length: u64) {
    let page = page_size() as u64;
    let (first, end) = (begin.next_multiple_of(page), (begin + length) / page * page);
    let (Ok(start), Ok(length)) = (
        usize::try_from(first),
        usize::try_from(end.saturating_sub(first)),
    ) else {
        return;
    };
    let start = ptr::with_exposed_provenance_mut(start);
    // SAFETY: whole pages of a private mapping of a file that were never written to: they read the
    // same afterwards (madvise(2), MADV_DONTNEED). Where it can't be done, they stay.
    let _ = unsafe { madvise(start, length, Advice::LinuxDontNeed) };
}

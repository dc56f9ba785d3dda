//! Taking records out of a kernel program's ring buffer (kernel/bpf/ringbuf.c, 6.18).
//!
//! The kernel wakes a reader for a new record when it knows that the reader has taken all before.
//! Waking costs it more than everything else that the program does, so this reader reports its position only when
//! it is about to sleep, or when space gets short. aya's own reader reports it each time.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    ptr::{self, NonNull},
    slice,
    sync::atomic::{AtomicU32, AtomicUsize, Ordering, fence},
};

use aya::maps::{Map, MapData};
use rustix::{
    mm::{MapFlags, ProtFlags, mmap, munmap},
    param::page_size,
};

use crate::bpf::error::LoadError;

/// Length and flags of a record, and the offset of its page (include/uapi/linux/bpf.h, 6.18).
const HEADER: usize = 8;
const BUSY: u32 = 1 << 31;
const DISCARD: u32 = 1 << 30;
/// The part of the ring that may be read before the position is reported; the rest is left for a flood.
const UNTOLD: usize = 16;

/// The reader's end of the ring buffer.
pub struct Ring {
    map: MapData,
    /// The reader's position, written here.
    consumer: Mapping,
    /// The kernel's position, and a page later the records, twice in a row: so none is split.
    producer: Mapping,
    page: usize,
    size: usize,
    position: usize,
    told: usize,
}

impl Ring {
    /// Of the map with this name and size.
    pub fn new(map: Map, name: &'static str, bytes: u32) -> Result<Self, LoadError> {
        let Map::RingBuf(map) = map else {
            return Err(LoadError::Incomplete(name));
        };
        let size = bytes as usize;
        let page = page_size();
        let consumer = Mapping::new(&map, page, ProtFlags::READ | ProtFlags::WRITE, 0);
        let producer = Mapping::new(&map, page + 2 * size, ProtFlags::READ, page);
        let (consumer, producer) = consumer
            .and_then(|consumer| Ok((consumer, producer?)))
            .map_err(LoadError::Wait)?;
        let position = consumer.position().load(Ordering::Acquire);
        Ok(Self {
            map,
            consumer,
            producer,
            page,
            size,
            position,
            told: position,
        })
    }

    /// Takes the next record, if there is one that is complete.
    pub fn next<T>(&mut self, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        loop {
            let (header, place) = self.header()?;
            let length = (header & !DISCARD) as usize;
            // SAFETY: a complete record lies behind its header, and the kernel writes nothing there
            // before it is told that it was taken.
            let record = unsafe { slice::from_raw_parts(place.as_ptr().add(HEADER), length) };
            if header & DISCARD == 0 {
                let value = read(record);
                self.advance(length);
                return Some(value);
            }
            self.advance(length);
        }
    }

    /// Is there a record to take?
    pub fn ready(&self) -> bool {
        self.header().is_some()
    }

    /// Tells the kernel what was taken, so that it wakes the reader for the next record. `false`:
    /// there is one already, which it may not have woken the reader for.
    pub fn may_sleep(&mut self) -> bool {
        self.tell();
        // Either this sees the record complete, or the kernel, which completes it with a barrier,
        // sees the position and wakes.
        fence(Ordering::SeqCst);
        !self.ready()
    }

    /// Header and place of the next record, if it is complete.
    fn header(&self) -> Option<(u32, NonNull<u8>)> {
        if self.producer.position().load(Ordering::Acquire) == self.position {
            return None;
        }
        // SAFETY: within the mapping, the position being taken modulo the size.
        let place = unsafe {
            self.producer
                .start
                .add(self.page + self.position % self.size)
        };
        // SAFETY: records are aligned to eight bytes and begin with their header.
        let header = unsafe { place.cast::<AtomicU32>().as_ref() }.load(Ordering::Acquire);
        (header & BUSY == 0).then_some((header, place))
    }

    fn advance(&mut self, length: usize) {
        let whole = (HEADER + length).next_multiple_of(8);
        self.position = self.position.wrapping_add(whole);
        if self.position.wrapping_sub(self.told) > self.size / UNTOLD {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let position = self.consumer.position();
        position.store(self.position, Ordering::Release);
        self.told = self.position;
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.map.fd().as_fd()
    }
}

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.map.fd().as_fd().as_raw_fd()
    }
}

/// A part of the ring buffer in this process's memory. It stays valid without the map's descriptor.
struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

impl Mapping {
    fn new(map: &MapData, length: usize, access: ProtFlags, offset: usize) -> io::Result<Self> {
        // SAFETY: a new mapping, at a place that the kernel chooses.
        let start = unsafe {
            mmap(
                ptr::null_mut(),
                length,
                access,
                MapFlags::SHARED,
                map.fd(),
                offset as u64,
            )
        }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { start, length })
    }

    /// The position that the mapping begins with.
    fn position(&self) -> &AtomicUsize {
        // SAFETY: an `unsigned long` at the start of a page.
        unsafe { self.start.cast().as_ref() }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped with this length, and nothing borrows from it any more.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
    }
}

//! What the fuzz targets share: an allocator that counts, so that a target can say what one input may cost.
//! Knows no decoder. A panic, a crash, a hang or a broken bound is a finding; libFuzzer keeps the input.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

#[cfg(feature = "answers")]
pub mod server;
pub mod signer;

/// Longest input that is tried.
pub const LONGEST: usize = 64 * 1024;
/// Largest single allocation that any input may lead to: the cap of the Avro decoder.
pub const LARGEST_ALLOCATION: usize = 16 * 1024 * 1024 + 4096;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static LARGEST: AtomicUsize = AtomicUsize::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn grew(size: usize, single: usize) {
    let live = LIVE.fetch_add(size, Relaxed) + size;
    PEAK.fetch_max(live, Relaxed);
    LARGEST.fetch_max(single, Relaxed);
}

// SAFETY: every call is passed on unchanged; counting touches no memory but three atomic numbers.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grew(layout.size(), layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grew(layout.size(), layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LIVE.fetch_sub(layout.size(), Relaxed);
        grew(size, size);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Runs `work` and panics when it took a single allocation above [`LARGEST_ALLOCATION`], or more than `most` bytes
/// together at any time.
pub fn within<T>(most: usize, work: impl FnOnce() -> T) -> T {
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    LARGEST.store(0, Relaxed);
    let result = work();
    let (largest, peak) = (LARGEST.load(Relaxed), PEAK.load(Relaxed).saturating_sub(before));
    assert!(largest <= LARGEST_ALLOCATION, "one allocation of {largest} bytes");
    assert!(peak <= most, "{peak} bytes at once, at most {most} are justified");
    result
}

/// Bytes that an input of this length may take while it is read: every byte of a record may become an empty text or a
/// small record in memory, twice while a list grows, and one length may be believed up to the decoder's cap.
pub fn justified(length: usize) -> usize {
    LARGEST_ALLOCATION + 4 * 1024 * 1024 + 512 * length
}

/// Cuts an input: a byte of length (in units of `unit`) before each part but the last.
pub fn parts<const N: usize>(mut input: &[u8], unit: usize) -> [&[u8]; N] {
    let mut parts = [&[][..]; N];
    for part in parts.iter_mut().take(N - 1) {
        let Some((length, rest)) = input.split_first() else { break };
        let (this, rest) = rest.split_at((usize::from(*length) * unit).min(rest.len()));
        (*part, input) = (this, rest);
    }
    parts[N - 1] = input;
    parts
}

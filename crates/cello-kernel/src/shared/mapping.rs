//! The memory that all processes of a server see.
#![expect(unsafe_code, reason = "shared memory becomes a slice of atomic words in one place only")]

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::{self, NonNull};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::word::Word;

/// A file in memory, whole in the address space for as long as this lives.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<Word>,
    count: usize,
}

// SAFETY: it owns the mapping, which belongs to no thread, and gives out nothing but atomic words.
unsafe impl Send for Mapping {}
// SAFETY: as above: what several threads reach through it is atomic.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Makes a sparse file in memory, which costs a page where one is first written. Its length never changes.
    pub(crate) fn create(bytes: usize) -> io::Result<(Self, OwnedFd)> {
        let descriptor = memfd_create("cello-arena", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&descriptor, bytes as u64)?;
        fcntl_add_seals(&descriptor, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Ok((Self::open(&descriptor)?, descriptor))
    }

    /// Maps a file that [`Mapping::create`] made, in this process or another.
    pub(crate) fn open(descriptor: impl AsFd) -> io::Result<Self> {
        // A file that could shrink would leave pages behind whose use ends the process.
        if !fcntl_get_seals(&descriptor)?.contains(SealFlags::SHRINK) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the file can shrink"));
        }
        let bytes = usize::try_from(fstat(&descriptor)?.st_size).map_err(io::Error::other)?;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the system chooses an address that nothing else uses.
        let start = unsafe { mmap(ptr::null_mut(), bytes, access, MapFlags::SHARED, &descriptor, 0) }?;
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("a mapping at address zero"))?;
        Ok(Self { start, count: bytes / size_of::<Word>() })
    }

    /// All of it.
    pub(crate) fn words(&self) -> &[Word] {
        // SAFETY: so many words are mapped until `self` is dropped, since the file cannot shrink; a page's address suits
        // any alignment; every pattern of bits is a word; and the words are atomic, so that other processes may write.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.count) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it was mapped by `open` at this address, and what borrowed its words is gone. What fails to be unmapped
        // stays mapped, which harms nobody.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.count * size_of::<Word>()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_mappings_of_a_file_are_the_same_memory() {
        let (near, descriptor) = Mapping::create(8192).expect("a file in memory");
        let far = Mapping::open(&descriptor).expect("the same file");
        assert_eq!(far.words().len(), 1024);
        assert!(near.words()[1023].replace(0, 7));
        drop(near);
        assert_eq!(far.words()[1023].load(), 7);
    }

    #[test]
    fn a_file_that_could_shrink_is_refused() {
        let file = tempfile::tempfile().expect("a file");
        assert!(Mapping::open(&file).is_err());
        let open = memfd_create("open", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).expect("a file in memory");
        ftruncate(&open, 4096).expect("it grows");
        assert!(Mapping::open(&open).is_err());
    }
}

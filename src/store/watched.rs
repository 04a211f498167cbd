//! Whether the SQLite file is still the one that was opened.
//!
//! A file that was renamed away, replaced or deleted goes on taking writes that nobody will ever find again, and one that was cut
//! short gives pages that are not there. Neither is told by SQLite. So the path is looked at before and after each commit, before
//! a read that is not from memory, and all the time by [`Store::ping`](super::Store::ping); as long as the right file is not
//! there the database is not available.
//!
//! It is never opened here: closing it would drop the locks that SQLite holds on it in this process.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error as ThisError;

use super::error::Error;

/// The file as it was when it was opened.
pub(super) struct Watched {
    path: PathBuf,
    device: u64,
    inode: u64,
    /// The longest that it was seen: kagiya never makes it shorter.
    longest: AtomicU64,
}

#[derive(Clone, Copy, Debug, ThisError)]
enum Lost {
    #[error("the database file is gone")]
    Gone,
    #[error("another file is in the place of the database")]
    Replaced,
    #[error("the database file was cut short")]
    CutShort,
}

impl Watched {
    /// The file at `path`, which has just been opened.
    pub(super) fn new(path: PathBuf) -> Result<Self, Error> {
        let found = std::fs::metadata(&path).map_err(Error::unavailable)?;
        Ok(Self {
            device: found.dev(),
            inode: found.ino(),
            path,
            longest: AtomicU64::new(found.len()),
        })
    }

    /// Whether it is there. One call to the system.
    pub(super) fn check(&self) -> Result<(), Error> {
        // Taken before the file is looked at: while it grows another thread may see it longer in between.
        let longest = self.longest.load(Ordering::SeqCst);
        let found = std::fs::metadata(&self.path).map_err(|_| Error::unavailable(Lost::Gone))?;
        if (found.dev(), found.ino()) != (self.device, self.inode) {
            return Err(Error::unavailable(Lost::Replaced));
        }
        self.longest.fetch_max(found.len(), Ordering::SeqCst);
        if found.len() < longest {
            return Err(Error::unavailable(Lost::CutShort));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_grows_while_several_look_is_never_taken_for_cut_short() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let file = std::fs::File::create(&path).unwrap();
        let watched = Watched::new(path).unwrap();
        let grown = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !grown.load(Ordering::SeqCst) {
                        watched.check().unwrap();
                    }
                });
            }
            for length in 0..50_000 {
                file.set_len(length).unwrap();
            }
            grown.store(true, Ordering::SeqCst);
        });
    }

    #[test]
    fn a_file_that_is_not_the_one_that_was_opened_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a.db"), folder.path().join("b.db"));
        let page = [0u8; 8192];
        std::fs::write(&path, page).unwrap();
        let watched = Watched::new(path.clone()).unwrap();
        assert!(watched.check().is_ok());
        std::fs::rename(&path, &other).unwrap();
        assert!(watched.check().is_err());
        std::fs::write(&path, page).unwrap();
        assert!(watched.check().is_err());
        std::fs::rename(&other, &path).unwrap();
        assert!(watched.check().is_ok());
        std::fs::write(&path, &page[..4096]).unwrap();
        assert!(watched.check().is_err());
        std::fs::write(&path, page).unwrap();
        assert!(watched.check().is_ok());
    }
}

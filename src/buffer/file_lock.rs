//! Locks on files, for one writer among all threads of all processes.
//!
//! On Linux an open file description lock: unlike a POSIX lock it belongs to the open file and not
//! to the process, so a second writer in the same process is kept out too, and closing another
//! descriptor of the file does not give it up. Elsewhere the standard library's lock, `flock`.
//!
//! A lock ends with its value, or with the process. Only those who ask are kept out: it says
//! nothing to readers.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// The exclusive lock on a file that is there for nothing else.
#[derive(Debug)]
pub struct FileLock {
    /// Open for as long as the lock is held.
    _file: File,
}

impl FileLock {
    /// Takes the lock if nobody has it, making the file where there is none.
    ///
    /// # Errors
    ///
    /// What the operating system says; [`io::ErrorKind::WouldBlock`] if somebody has it.
    pub fn try_take(path: &Path) -> io::Result<Self> {
        let file = open(path)?;
        os::try_lock(&file)?;
        Ok(Self { _file: file })
    }

    /// Waits for the lock and takes it, making the file where there is none.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub fn take(path: &Path) -> io::Result<Self> {
        let file = open(path)?;
        os::lock(&file)?;
        Ok(Self { _file: file })
    }
}

/// The file stays: to remove it would let a second process make and lock another of the name.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

#[cfg(target_os = "linux")]
mod os {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd;

    pub(super) fn try_lock(file: &File) -> io::Result<()> {
        // POSIX lets a lock that is held answer with either of two codes.
        control(file, libc::F_OFD_SETLK).map_err(|error| match error.raw_os_error() {
            Some(libc::EACCES | libc::EAGAIN) => io::ErrorKind::WouldBlock.into(),
            _ => error,
        })
    }

    pub(super) fn lock(file: &File) -> io::Result<()> {
        control(file, libc::F_OFD_SETLKW)
    }

    fn control(file: &File, command: libc::c_int) -> io::Result<()> {
        #[allow(clippy::cast_possible_truncation, reason = "the constants are 0 and 1")]
        let range = libc::flock {
            l_type: libc::F_WRLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: 0,
            l_len: 0, // to the end, wherever that is
            l_pid: 0, // as these locks demand
        };
        loop {
            // SAFETY: the structure outlives the call, which only reads it.
            let status = unsafe { libc::fcntl(file.as_raw_fd(), command, &raw const range) };
            if status >= 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod os {
    use std::fs::File;
    use std::io;

    pub(super) fn try_lock(file: &File) -> io::Result<()> {
        Ok(file.try_lock()?)
    }

    pub(super) fn lock(file: &File) -> io::Result<()> {
        file.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_in_the_same_process_waits_or_is_refused() {
        let name = format!("kfetch-lock-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let first = FileLock::try_take(&path).unwrap();
        let refused = FileLock::try_take(&path).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        // Closing another descriptor of the file would end a POSIX lock.
        drop(File::open(&path).unwrap());
        assert!(FileLock::try_take(&path).is_err());
        let waiting = std::thread::spawn({
            let path = path.clone();
            move || FileLock::take(&path).map(drop)
        });
        drop(first);
        waiting.join().unwrap().unwrap();
        FileLock::try_take(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
    }
}

//! Processes that end with the test process, however that ends.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

type Order = (Command, Sender<io::Result<Child>>);

/// Starts a process that the kernel kills when this process is gone.
///
/// The kernel binds that to the *thread* that forked, and the test harness ends a thread with each
/// test; so one thread that lives as long as this process does all the forking.
pub(crate) fn spawn_tied(mut command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<Sender<Order>> = OnceLock::new();
    let orders = SPAWNER.get_or_init(|| {
        let (sender, orders) = channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in orders {
                let _ = reply.send(command.spawn());
            }
        });
        sender
    });
    let parent = std::process::id();
    // SAFETY: the closure calls prctl and getppid alone, which are async-signal-safe, and
    // allocates nothing unless it fails.
    unsafe { command.pre_exec(move || die_with(parent)) };
    let (reply, answer) = channel();
    orders.send((command, reply)).expect("the spawner lives as long as the process");
    answer.recv().expect("the spawner answers each order")
}

/// Lets a process heed a signal that the tests may have been started to ignore, as by nohup or in
/// the background of a script.
pub(crate) fn heed(command: &mut Command, signal: libc::c_int) {
    let reset = move || {
        // SAFETY: signal is async-signal-safe, and the default action is no pointer.
        let before = unsafe { libc::signal(signal, libc::SIG_DFL) };
        if before == libc::SIG_ERR { Err(io::Error::last_os_error()) } else { Ok(()) }
    };
    // SAFETY: the closure makes that call alone, and allocates nothing unless it fails.
    unsafe { command.pre_exec(reset) };
}

#[cfg(target_os = "linux")]
fn die_with(parent: u32) -> io::Result<()> {
    // SAFETY: this option takes an integer and touches no memory.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // A parent that died before the call above sends no signal any more.
    if std::os::unix::process::parent_id() == parent {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::ESRCH))
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with(_parent: u32) -> io::Result<()> {
    Ok(())
}

/// What a process has printed, and how it ended.
#[derive(Debug, Default)]
struct Seen {
    text: String,
    status: Option<ExitStatus>,
}

#[derive(Debug, Default)]
struct Watch {
    seen: Mutex<Seen>,
    changed: Condvar,
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A child process whose output is watched; killed and waited for when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    id: u32,
    watch: Arc<Watch>,
}

impl Process {
    /// Starts `command` with its output going to the end of the file `log`.
    pub(crate) fn spawn(name: &str, mut command: Command, log: &Path) -> Self {
        let (output, input) = io::pipe().expect("a pipe");
        let errors = input.try_clone().expect("a second handle of the pipe");
        command.stdin(Stdio::null()).stdout(input).stderr(errors);
        let child = spawn_tied(command).unwrap_or_else(|error| panic!("start {name}: {error}"));
        let id = child.id();
        let log = File::options().create(true).append(true).open(log).expect("the log file");
        let watch = Arc::new(Watch::default());
        let for_thread = Arc::clone(&watch);
        thread::spawn(move || follow(child, output, log, &for_thread));
        Self { name: name.to_owned(), id, watch }
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Waits until the process has printed `marker`.
    ///
    /// # Panics
    ///
    /// When it ends without, or has not printed it within `limit`; the message has its last lines.
    pub(crate) fn wait_for(&self, marker: &str, limit: Duration) {
        let waiting = |seen: &mut Seen| !seen.text.contains(marker) && seen.status.is_none();
        let (seen, _) = self
            .watch
            .changed
            .wait_timeout_while(self.watch.lock(), limit, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        if !seen.text.contains(marker) {
            let (status, tail) = (seen.status, tail(&seen.text));
            drop(seen);
            let name = &self.name;
            panic!("{name}: no {marker:?} within {limit:?}, status {status:?}\n{tail}");
        }
    }

    /// Waits for the end of the process; `None` when `limit` passed before.
    pub(crate) fn wait(&self, limit: Duration) -> Option<ExitStatus> {
        self.watch
            .changed
            .wait_timeout_while(self.watch.lock(), limit, |seen| seen.status.is_none())
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .status
    }

    /// Sends a signal, unless the process has ended.
    pub(crate) fn signal(&self, signal: libc::c_int) {
        let seen = self.watch.lock();
        if seen.status.is_none() {
            let id = libc::pid_t::try_from(self.id).expect("a process id");
            // SAFETY: the process has not been waited for, so the id is still its own.
            unsafe { libc::kill(id, signal) };
        }
    }

    /// Returns all that the process has printed.
    pub(crate) fn output(&self) -> String {
        self.watch.lock().text.clone()
    }

    /// Returns what the process has printed behind the first `from` bytes.
    pub(crate) fn output_from(&self, from: usize) -> String {
        self.watch.lock().text[from..].to_owned()
    }

    /// Ends the process by SIGKILL and waits for that.
    pub(crate) fn kill(&self) {
        self.signal(libc::SIGKILL);
        self.wait(Duration::from_secs(30)).expect("a killed process ends");
    }

    /// Returns the last lines that the process has printed.
    pub(crate) fn tail(&self) -> String {
        tail(&self.watch.lock().text)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(libc::SIGKILL);
        self.wait(Duration::from_secs(30));
    }
}

fn follow(mut child: Child, mut output: io::PipeReader, mut log: File, watch: &Watch) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = output.read(&mut buffer) {
        let _ = log.write_all(&buffer[..count]);
        watch.lock().text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        watch.changed.notify_all();
    }
    let status = child.wait().expect("it is our child");
    watch.lock().status = Some(status);
    watch.changed.notify_all();
}

/// Returns the last lines, none of them longer than a person reads.
fn tail(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| line.chars().take(300).collect()).collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

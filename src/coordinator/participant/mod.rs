//! The application's side of a group, as a machine without IO, clock or thread.
//!
//! ```text
//!            subscribe          Task::Revoke done            Assigned
//!   Idle ──────────────► Joining ◄────────────── Revoking ◄─────────── Stable
//!    ▲                    │  ▲                      │                    ▲
//!    │ Left          Lead ▼  │ Task::Send(Assign)   ▼ revoked first      │ Task::Assign done
//!   Leaving            Leading                    Taking ────────────────┘
//! ```
//!
//! It is fed with the member's notices and with what topics there are, and says what to do in
//! [`Task`]s: send a command, call the application back, look topics up. Tasks that call the
//! application back are reported when they are done; until then nothing else happens.

mod leader;
mod machine;
mod task;
mod topics;

pub use machine::{Participant, ParticipantSettings};
pub use task::Task;
pub use topics::TopicCount;

#[cfg(test)]
mod tests;

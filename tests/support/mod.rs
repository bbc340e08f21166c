//! What integration tests share: a real Apache Kafka that dies with the test, Kafka's own Java code
//! as an oracle, and the small things around them.
//!
//! Each test binary compiles its own copy by `mod support;`. Nothing here is skipped silently:
//! where Java or the jars are missing, the test that needs them fails and says how to get them.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

pub(crate) mod deadline;
pub(crate) mod helper;
pub(crate) mod jvm;
pub(crate) mod kafka;
pub(crate) mod oracle;
pub(crate) mod port;
pub(crate) mod process;
pub(crate) mod producer;
pub(crate) mod temp_dir;
pub(crate) mod topics;

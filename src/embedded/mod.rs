//! Groups with no broker: the coordinator of a log directory's groups, as machines without IO.

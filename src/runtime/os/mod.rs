//! The machine: tokio sockets, files through a blocking pool, the system clocks.

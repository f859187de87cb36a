//! TLS on the client port: real handshakes on loopback sockets, certificates made for each test.
//!
//! `handshakes` and `reload` look at what the client port makes of them, `servers` at the program.

#[path = "../ensemble/mod.rs"]
mod ensemble;

mod certificates;
mod handshakes;
mod port;
mod reload;
mod servers;

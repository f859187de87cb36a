//! What servers make of wrong files, wrong bytes and missing peers: they say what is wrong, in
//! words with a place in them, and nothing else suffers.

mod ensemble;

#[path = "bad_input/clients.rs"]
mod clients;
#[path = "bad_input/configuration.rs"]
mod configuration;
#[path = "bad_input/disk.rs"]
mod disk;
#[path = "bad_input/peers.rs"]
mod peers;
#[path = "bad_input/probes.rs"]
mod probes;

//! The keys of `[swarm]`, and what may be drawn of each.

use std::time::Duration;

/// A key of `[swarm]`: the table of the value it draws, and what is drawn.
pub(super) type Known = (&'static str, &'static str, Kind);

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// How many servers.
    Members,
    /// A whole number of at least so much, even on a logarithmic scale.
    Whole(u64),
    /// A number, even on a logarithmic scale.
    Rate,
    /// A number from 0 to 1, evenly.
    Part,
    /// A time, even on a logarithmic scale.
    Time,
    /// Least and most of a time.
    TimeRange,
    /// Bytes, even on a logarithmic scale.
    Size,
    /// Least and most of bytes.
    SizeRange,
    /// Bytes a second, even on a logarithmic scale.
    ByteRate,
    /// The share of seeds in which something is so.
    Share,
}

/// In the order in which they are told.
pub(super) const KEYS: [Known; 35] = [
    ("voters", "ensemble", Kind::Members),
    ("observers", "ensemble", Kind::Members),
    ("weights", "ensemble", Kind::Share),
    ("late", "ensemble", Kind::Share),
    ("tick_time", "ensemble", Kind::Time),
    ("init_limit", "ensemble", Kind::Whole(1)),
    ("sync_limit", "ensemble", Kind::Whole(1)),
    ("finalize_wait", "ensemble", Kind::Time),
    ("max_notification_interval", "ensemble", Kind::Time),
    ("snap_count", "ensemble", Kind::Whole(1)),
    ("commit_log_count", "ensemble", Kind::Whole(1)),
    ("snapshot_slice", "ensemble", Kind::Whole(1)),
    ("slice_bytes", "ensemble", Kind::Size),
    ("progress_bytes", "ensemble", Kind::Size),
    ("link_limit", "ensemble", Kind::Size),
    ("snapshot_size_factor", "ensemble", Kind::Rate),
    ("read_only_mode", "ensemble", Kind::Share),
    ("dialect", "ensemble", Kind::Share),
    ("latency", "network", Kind::TimeRange),
    ("bandwidth", "network", Kind::ByteRate),
    ("socket_buffer", "network", Kind::Size),
    ("fsync", "disk", Kind::TimeRange),
    ("throughput", "disk", Kind::ByteRate),
    ("clients", "workload", Kind::Whole(0)),
    ("ops_per_second", "workload", Kind::Rate),
    ("writes", "workload", Kind::Part),
    ("session_timeout", "workload", Kind::Time),
    ("from", "workload", Kind::Time),
    ("value_bytes", "workload", Kind::SizeRange),
    ("ballast", "workload", Kind::Size),
    ("ballast_value", "workload", Kind::SizeRange),
    ("nodes", "workload", Kind::Whole(1)),
    ("read_only", "workload", Kind::Part),
    ("watches", "workload", Kind::Part),
    ("mix", "workload", Kind::Share),
];

/// What may be drawn of a key.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Choice {
    /// One of these.
    OneOf(Vec<u64>),
    Whole(u64, u64),
    Rate(f64, f64),
    Part(f64, f64),
    Time(Duration, Duration),
    TimeRange(Duration, Duration),
    Size(u64, u64),
    SizeRange(u64, u64),
    ByteRate(u64, u64),
    Share(f64),
}

//! What election connections carry: one handshake, then notifications.
//!
//! Handshake (QuorumCnxManager.InitialMessage), sent by the side that connected, never answered:
//!
//!     0         8      16      20
//!     | version | sid  | len   | address: "host:port", V2: several, joined by '|' |
//!     version -65536 is V1, -65535 is V2; 0 and above is the sid of a 3.4 server, nothing follows
//!
//! Notification (FastLeaderElection.buildMsg), behind an int length:
//!
//!     0       4        12     20               28           36        40           44
//!     | state | leader | zxid | election_epoch | peer_epoch | version | config len | config |
//!     28 bytes: the oldest form, peer_epoch is the zxid's; 40 bytes: no version, its place is ignored
//!
//! Whatever follows the config is kept and otherwise ignored, as Apache ignores it.
//!
//! - EP-1  decoded bytes encode to the same bytes
//! - EP-2  no bytes make the decoder panic (ZOOKEEPER-3769: they made Apache deaf)

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::base::limits::ELECTION_ADDRESS_BYTES_MAX;
use crate::base::{Epoch, ServerId, Zxid};
use crate::runtime::HostPort;

/// Handshake of one address (`QuorumCnxManager.PROTOCOL_VERSION_V1`): what this server sends.
pub const PROTOCOL_V1: i64 = -65_536;
/// Handshake of several addresses (`multiAddress.enabled`).
const PROTOCOL_V2: i64 = -65_535;
/// The sid that old observers send: the acceptor gives them one (`OBSERVER_ID`).
pub const OBSERVER_ID: ServerId = ServerId(i64::MAX);
/// `Notification.CURRENTVERSION`: with the sender's configuration.
pub const NOTIFICATION_VERSION: i32 = 2;

const OLDEST_BYTES: usize = 28;
const WITHOUT_VERSION_BYTES: usize = 40;
const HANDSHAKE_HEAD_BYTES: usize = 20;

/// What another server sent that is no election message. Ends nothing but the message; a bad
/// handshake ends its connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum PacketError {
    #[error("a notification of {bytes} bytes ends inside its {field}")]
    Short { field: &'static str, bytes: usize },
    #[error("server state {state} is none of 0 to 3")]
    State { state: i32 },
    #[error("the configuration has {length} bytes, {left} are left")]
    ConfigLength { length: i32, left: usize },
    #[error("protocol version {protocol} of a handshake is not known")]
    Protocol { protocol: i64 },
    #[error("the address in a handshake has {length} bytes, not 1 to 2048")]
    AddressLength { length: i32 },
    #[error("the address in a handshake is not UTF-8")]
    AddressText,
}

/// The state of a peer as it travels (QuorumPeer.ServerState).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum PeerState {
    Looking,
    Following,
    Leading,
    Observing,
}

impl PeerState {
    fn from_wire(state: i32) -> Result<PeerState, PacketError> {
        match state {
            0 => Ok(PeerState::Looking),
            1 => Ok(PeerState::Following),
            2 => Ok(PeerState::Leading),
            3 => Ok(PeerState::Observing),
            _ => Err(PacketError::State { state }),
        }
    }

    fn to_wire(self) -> i32 {
        match self {
            PeerState::Looking => 0,
            PeerState::Following => 1,
            PeerState::Leading => 2,
            PeerState::Observing => 3,
        }
    }
}

impl fmt::Display for PeerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PeerState::Looking => "LOOKING",
            PeerState::Following => "FOLLOWING",
            PeerState::Leading => "LEADING",
            PeerState::Observing => "OBSERVING",
        })
    }
}

/// Which of the three historic layouts a notification has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Form {
    /// 28 bytes: up to the round. `peer_epoch` is that of the zxid.
    Oldest,
    /// 40 bytes: up to the peer epoch, then four bytes that mean nothing.
    WithoutVersion { ignored: i32 },
    /// Anything else: with a version and, from 2 on, a configuration.
    Current,
}

/// What one server tells another of its vote (FastLeaderElection.Notification).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Notification {
    pub state: PeerState,
    /// The candidate voted for, or the leader followed.
    pub leader: ServerId,
    /// The candidate's last logged zxid at the time of the election.
    pub zxid: Zxid,
    /// The round (logicalclock).
    pub election_epoch: i64,
    /// The candidate's `currentEpoch`; once a leader is established, the epoch it leads.
    pub peer_epoch: Epoch,
    /// 0 in the two old layouts.
    pub version: i32,
    /// The sender's configuration as text.
    pub config: Option<Bytes>,
    pub form: Form,
    /// What follows the fields known here.
    pub trailing: Bytes,
}

impl Notification {
    /// The notification in one frame's body. Every length a server ever sent is understood.
    pub fn decode(body: Bytes) -> Result<Notification, PacketError> {
        let mut from = Fields { body: &body, pos: 0 };
        let state = PeerState::from_wire(from.int("state")?)?;
        let leader = ServerId(from.long("leader")?);
        let zxid = Zxid(from.long("zxid")?);
        let election_epoch = from.long("election epoch")?;
        let mut notification = Notification {
            state,
            leader,
            zxid,
            election_epoch,
            peer_epoch: zxid.epoch(),
            version: 0,
            config: None,
            form: Form::Oldest,
            trailing: Bytes::new(),
        };
        if body.len() == OLDEST_BYTES {
            return Ok(notification);
        }
        notification.peer_epoch = Epoch(from.long("peer epoch")?);
        let version = from.int("version")?;
        if body.len() == WITHOUT_VERSION_BYTES {
            notification.form = Form::WithoutVersion { ignored: version };
            return Ok(notification);
        }
        notification.form = Form::Current;
        notification.version = version;
        if version >= NOTIFICATION_VERSION {
            notification.config = Some(from.config()?);
        }
        notification.trailing = body.slice(from.pos..);
        Ok(notification)
    }

    /// The body of a frame. Of version 2, without the bytes that old layouts lack.
    pub fn encode(&self) -> Bytes {
        let config = self.config.as_deref().unwrap_or_default();
        let mut out = Vec::with_capacity(WITHOUT_VERSION_BYTES + 4 + config.len());
        out.extend_from_slice(&self.state.to_wire().to_be_bytes());
        out.extend_from_slice(&self.leader.0.to_be_bytes());
        out.extend_from_slice(&self.zxid.0.to_be_bytes());
        out.extend_from_slice(&self.election_epoch.to_be_bytes());
        if self.form == Form::Oldest {
            return out.into();
        }
        out.extend_from_slice(&self.peer_epoch.0.to_be_bytes());
        if let Form::WithoutVersion { ignored } = self.form {
            out.extend_from_slice(&ignored.to_be_bytes());
            return out.into();
        }
        out.extend_from_slice(&self.version.to_be_bytes());
        if self.version >= NOTIFICATION_VERSION {
            let length = i32::try_from(config.len()).expect("a frame is far below 2 GiB");
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(config);
        }
        out.extend_from_slice(&self.trailing);
        out.into()
    }
}

/// One line, as Apache's logs show a notification.
impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} leader={} zxid={} round={} peerEpoch={} version={}",
            self.state, self.leader, self.zxid, self.election_epoch, self.peer_epoch, self.version
        )
    }
}

/// Big-endian fields, one after another.
struct Fields<'a> {
    body: &'a Bytes,
    pos: usize,
}

impl Fields<'_> {
    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], PacketError> {
        let short = PacketError::Short { field, bytes: self.body.len() };
        let bytes = self.body.get(self.pos..self.pos + N).ok_or(short)?;
        self.pos += N;
        <[u8; N]>::try_from(bytes).map_err(|_| short)
    }

    fn int(&mut self, field: &'static str) -> Result<i32, PacketError> {
        Ok(i32::from_be_bytes(self.array(field)?))
    }

    fn long(&mut self, field: &'static str) -> Result<i64, PacketError> {
        Ok(i64::from_be_bytes(self.array(field)?))
    }

    fn config(&mut self) -> Result<Bytes, PacketError> {
        let length = self.int("configuration length")?;
        let left = self.body.len() - self.pos;
        match usize::try_from(length) {
            Ok(bytes) if bytes <= left => {
                self.pos += bytes;
                Ok(self.body.slice(self.pos - bytes..self.pos))
            }
            _ => Err(PacketError::ConfigLength { length, left }),
        }
    }
}

/// Who opens an election connection, and where it listens itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Handshake {
    /// [`PROTOCOL_V1`], [`PROTOCOL_V2`], or the sid again for a 3.4 server.
    pub protocol: i64,
    pub sid: ServerId,
    /// "host:port" of the sender's election port; empty from a 3.4 server.
    pub address: String,
}

impl Handshake {
    /// The handshake of this server. Must go out in one write: Apache takes the address with a
    /// single read.
    pub fn v1(sid: ServerId, election: &HostPort) -> Handshake {
        Handshake { protocol: PROTOCOL_V1, sid, address: election.to_string() }
    }

    /// The handshake at the start of `bytes` and its length, or `None` while it is not complete.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Handshake, usize)>, PacketError> {
        let Some(protocol) = bytes.first_chunk::<8>().map(|first| i64::from_be_bytes(*first))
        else {
            return Ok(None);
        };
        if protocol >= 0 {
            let sid = ServerId(protocol);
            return Ok(Some((Handshake { protocol, sid, address: String::new() }, 8)));
        }
        if protocol != PROTOCOL_V1 && protocol != PROTOCOL_V2 {
            return Err(PacketError::Protocol { protocol });
        }
        let Some(head) = bytes.first_chunk::<HANDSHAKE_HEAD_BYTES>() else { return Ok(None) };
        let mut from = Fields { body: &Bytes::copy_from_slice(head), pos: 8 };
        let sid = ServerId(from.long("sid")?);
        let length = from.int("address length")?;
        let bytes_wanted = match usize::try_from(length) {
            Ok(wanted) if (1..=ELECTION_ADDRESS_BYTES_MAX).contains(&wanted) => wanted,
            _ => return Err(PacketError::AddressLength { length }),
        };
        let end = HANDSHAKE_HEAD_BYTES + bytes_wanted;
        let Some(text) = bytes.get(HANDSHAKE_HEAD_BYTES..end) else { return Ok(None) };
        let address = std::str::from_utf8(text).map_err(|_| PacketError::AddressText)?.to_owned();
        Ok(Some((Handshake { protocol, sid, address }, end)))
    }

    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(HANDSHAKE_HEAD_BYTES + self.address.len());
        out.extend_from_slice(&self.protocol.to_be_bytes());
        if self.protocol >= 0 {
            return out.into();
        }
        out.extend_from_slice(&self.sid.0.to_be_bytes());
        let length = i32::try_from(self.address.len()).expect("an address is far below 2 GiB");
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(self.address.as_bytes());
        out.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn long_form(config_length: i32, tail: &[u8]) -> Bytes {
        let mut body = vec![0; 36];
        body.extend_from_slice(&2_i32.to_be_bytes());
        body.extend_from_slice(&config_length.to_be_bytes());
        body.extend_from_slice(tail);
        body.into()
    }

    fn round_trip(body: &Bytes) -> Notification {
        let decoded = Notification::decode(body.clone()).expect("a body that is well formed");
        assert_eq!(decoded.encode(), body);
        decoded
    }

    #[test]
    fn oldest_form_takes_its_epoch_from_the_zxid() {
        let mut body = vec![0, 0, 0, 2];
        for field in [3_i64, 0x5_0000_0007, 9] {
            body.extend_from_slice(&field.to_be_bytes());
        }
        let n = round_trip(&body.into());
        assert_eq!(
            (n.state, n.leader, n.zxid),
            (PeerState::Leading, ServerId(3), Zxid(0x5_0000_0007))
        );
        assert_eq!((n.election_epoch, n.peer_epoch, n.version, n.config), (9, Epoch(5), 0, None));
    }

    #[test]
    fn forty_bytes_have_an_epoch_and_no_version() {
        let mut body = vec![0; 28];
        body.extend_from_slice(&6_i64.to_be_bytes());
        body.extend_from_slice(&77_i32.to_be_bytes());
        let n = round_trip(&body.into());
        assert_eq!((n.peer_epoch, n.version), (Epoch(6), 0));
        assert_eq!(n.form, Form::WithoutVersion { ignored: 77 });
    }

    #[test]
    fn version_one_has_no_config_and_keeps_what_follows() {
        let mut body = vec![0; 36];
        body.extend_from_slice(&1_i32.to_be_bytes());
        body.extend_from_slice(b"rest");
        let n = round_trip(&body.into());
        assert_eq!((n.version, n.config, &n.trailing[..]), (1, None, &b"rest"[..]));
    }

    #[test]
    fn bytes_behind_the_config_are_kept() {
        let n = round_trip(&long_form(3, b"abcidentity"));
        assert_eq!(n.config.as_deref(), Some(&b"abc"[..]));
        assert_eq!(&n.trailing[..], b"identity");
    }

    #[test]
    fn an_empty_config_is_a_config() {
        assert_eq!(round_trip(&long_form(0, b"")).config, Some(Bytes::new()));
    }

    #[test]
    fn every_length_but_28_and_40_below_44_is_short_and_says_where() {
        for length in (0..44).filter(|length| ![28, 40].contains(length)) {
            let mut body = vec![0; length];
            if length >= 40 {
                body[39] = 2;
            }
            let error = Notification::decode(body.into()).expect_err("too short");
            let field = match length {
                0..4 => "state",
                4..12 => "leader",
                12..20 => "zxid",
                20..28 => "election epoch",
                28..36 => "peer epoch",
                36..40 => "version",
                _ => "configuration length",
            };
            assert_eq!(error, PacketError::Short { field, bytes: length });
        }
    }

    #[test]
    fn config_lengths_below_zero_or_past_the_end_are_named() {
        for length in [-1, i32::MIN, 4, i32::MAX] {
            let error = Notification::decode(long_form(length, b"abc")).expect_err("bad length");
            assert_eq!(error, PacketError::ConfigLength { length, left: 3 });
        }
    }

    #[test]
    fn a_state_outside_the_four_is_named() {
        let mut body = vec![0; 28];
        body[3] = 4;
        let error = Notification::decode(body.into()).expect_err("state 4");
        assert_eq!(error, PacketError::State { state: 4 });
    }

    #[test]
    fn handshakes_of_all_three_kinds_keep_their_bytes() {
        for (protocol, address) in [(PROTOCOL_V1, "[::1]:3888"), (PROTOCOL_V2, "a:1|b:2"), (7, "")]
        {
            let handshake = Handshake { protocol, sid: ServerId(7), address: address.into() };
            let mut bytes = handshake.encode().to_vec();
            let length = bytes.len();
            for cut in 0..length {
                assert_eq!(Handshake::decode(&bytes[..cut]), Ok(None), "{protocol} at {cut}");
            }
            bytes.extend_from_slice(b"the first frame");
            assert_eq!(Handshake::decode(&bytes), Ok(Some((handshake, length))));
        }
    }

    #[test]
    fn bad_handshakes_say_what_is_wrong() {
        let of = |protocol: i64, length: i32, text: &[u8]| {
            let mut bytes = protocol.to_be_bytes().to_vec();
            bytes.extend_from_slice(&1_i64.to_be_bytes());
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(text);
            Handshake::decode(&bytes).expect_err("a bad handshake")
        };
        assert_eq!(of(-3, 1, b"a"), PacketError::Protocol { protocol: -3 });
        for length in [-1, 0, 2049] {
            assert_eq!(of(PROTOCOL_V1, length, b"a"), PacketError::AddressLength { length });
        }
        assert_eq!(of(PROTOCOL_V1, 1, &[0xff]), PacketError::AddressText);
    }

    proptest! {
        #[test]
        fn whatever_decodes_encodes_to_its_bytes(
            mut body in proptest::collection::vec(any::<u8>(), 0..80),
            version in 0..4_i32,
            config in -1..40_i32,
        ) {
            if let Some(state) = body.get_mut(0..4) {
                state[..3].fill(0);
                state[3] %= 5;
            }
            if let Some(tail) = body.get_mut(36..44) {
                tail[..4].copy_from_slice(&version.to_be_bytes());
                tail[4..].copy_from_slice(&config.to_be_bytes());
            }
            let body = Bytes::from(body);
            if let Ok(n) = Notification::decode(body.clone()) {
                prop_assert_eq!(n.encode(), body);
            }
        }

        #[test]
        fn no_bytes_make_a_handshake_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(Some((handshake, length))) = Handshake::decode(&bytes) {
                prop_assert_eq!(&handshake.encode()[..], &bytes[..length]);
            }
        }
    }
}

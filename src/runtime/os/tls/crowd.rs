//! Whose handshakes are under way, and who gives way once there are too many.
//!
//! A handshake that is never done costs its client nothing and holds a place for seconds. So the
//! places of a full house go to whoever has few of them: a newcomer takes that of the one who has
//! most, the oldest of his. Whoever has most himself is turned away. One address can thus fill the
//! house, as a load balancer does when everybody comes back at once, and keep nobody else out.
//!
//! An origin is an IPv4 address, or the half of an IPv6 address that says whose network it is: the
//! other half is for its owner to choose.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

/// Bits of an IPv6 address behind its network.
const INTERFACE_BITS: u32 = 64;

/// Who has how many of something, oldest first.
#[derive(Debug)]
pub(super) struct Crowd<T> {
    max: usize,
    len: usize,
    next: u64,
    by_origin: BTreeMap<IpAddr, BTreeMap<u64, T>>,
}

/// What becomes of a newcomer.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Entry<T> {
    Free,
    /// In the place of this one.
    Instead(T),
    Refused,
}

/// A place in the crowd.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    origin: IpAddr,
    number: u64,
}

impl<T> Crowd<T> {
    pub(super) fn new(max: usize) -> Crowd<T> {
        Crowd { max, len: 0, next: 0, by_origin: BTreeMap::new() }
    }

    /// Makes room for somebody at this address, if there is any to be had. `is_full`: there is none
    /// for a reason of the caller's, however small the crowd is.
    pub(super) fn make_room(&mut self, address: IpAddr, is_full: bool) -> Entry<T> {
        if self.len < self.max && !is_full {
            return Entry::Free;
        }
        let own = self.by_origin.get(&origin_of(address)).map_or(0, BTreeMap::len);
        let greediest = self.by_origin.iter_mut().max_by_key(|(_, places)| places.len());
        let Some((origin, places)) = greediest.filter(|(_, places)| places.len() > own + 1) else {
            return Entry::Refused;
        };
        let (origin, oldest) = (*origin, places.keys().next().copied());
        let oldest = oldest.and_then(|number| self.leave(Place { origin, number }));
        oldest.map_or(Entry::Refused, Entry::Instead)
    }

    /// The place of the next who enters.
    pub(super) fn next_place(&self, address: IpAddr) -> Place {
        Place { origin: origin_of(address), number: self.next }
    }

    pub(super) fn enter(&mut self, place: Place, who: T) {
        self.next = place.number + 1;
        self.len += 1;
        self.by_origin.entry(place.origin).or_default().insert(place.number, who);
    }

    /// `None` if that place is free already.
    pub(super) fn leave(&mut self, place: Place) -> Option<T> {
        let places = self.by_origin.get_mut(&place.origin)?;
        let who = places.remove(&place.number)?;
        self.len -= 1;
        if places.is_empty() {
            self.by_origin.remove(&place.origin);
        }
        Some(who)
    }
}

fn origin_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let network = v6.to_bits() >> INTERFACE_BITS << INTERFACE_BITS;
            Ipv6Addr::from_bits(network).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// What becomes of each newcomer; whoever enters is numbered as he came.
    fn come(crowd: &mut Crowd<usize>, from: &[&str]) -> Vec<Entry<usize>> {
        let come_one = |(n, from): (usize, &&str)| {
            let entry = crowd.make_room(ip(from), false);
            if entry != Entry::Refused {
                crowd.enter(crowd.next_place(ip(from)), n);
            }
            entry
        };
        from.iter().enumerate().map(come_one).collect()
    }

    #[test]
    fn a_full_house_makes_room_for_whoever_has_less() {
        let mut crowd = Crowd::new(4);
        let (a, b, c) = ("10.0.0.1", "10.0.0.2", "10.0.0.3");
        let entries = come(&mut crowd, &[a, a, a, a, a, b, b, b, a, c]);
        assert!(entries[..4].iter().all(|entry| *entry == Entry::Free));
        assert_eq!(entries[4], Entry::Refused, "it has all of them");
        assert_eq!(entries[5..7], [Entry::Instead(0), Entry::Instead(1)], "the oldest goes");
        assert_eq!(entries[7..9], [Entry::Refused, Entry::Refused], "both have two");
        assert!(matches!(entries[9], Entry::Instead(_)), "it had none");
    }

    #[test]
    fn who_leaves_makes_room_and_a_network_is_one_origin() {
        let mut crowd = Crowd::new(2);
        let place = crowd.next_place(ip("fd00::1"));
        assert_eq!(place.origin, origin_of(ip("fd00::ffff:1:2:3")));
        assert_ne!(place.origin, origin_of(ip("fd00:0:0:1::1")));
        assert_eq!(origin_of(ip("::ffff:10.0.0.1")), ip("10.0.0.1"));
        crowd.enter(place, "one");
        crowd.enter(crowd.next_place(ip("fd00::2")), "two");
        assert_eq!(crowd.make_room(ip("fd00::3"), false), Entry::Refused);
        assert_eq!((crowd.leave(place), crowd.leave(place)), (Some("one"), None));
        assert_eq!(crowd.make_room(ip("fd00::3"), false), Entry::Free);
    }
    #[test]
    fn a_small_crowd_makes_room_too_if_there_is_none_elsewhere() {
        let mut crowd = Crowd::new(9);
        assert_eq!(crowd.make_room(ip("10.0.0.2"), true), Entry::Refused, "nobody can give way");
        come(&mut crowd, &["10.0.0.1", "10.0.0.1"]);
        assert_eq!(crowd.make_room(ip("10.0.0.1"), true), Entry::Refused);
        assert_eq!(crowd.make_room(ip("10.0.0.2"), true), Entry::Instead(0));
    }
}

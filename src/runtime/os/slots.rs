//! How many accepted connections there are, altogether and by address.
//!
//! A connection holds a slot from when it is accepted until its descriptor is free again: longer than
//! anybody above knows of it, since it is there before its TLS handshake, and as long as the last
//! bytes to it are not gone. Workers give them back on threads of their own.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};

/// The connections of one kind.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    table: Arc<Mutex<Table>>,
}

#[derive(Debug)]
struct Table {
    max: usize,
    taken: usize,
    by_address: BTreeMap<IpAddr, u32>,
}

/// One connection of this address.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Slots,
    address: IpAddr,
}

impl Slots {
    pub(super) fn new(max: usize) -> Slots {
        let table = Table { max, taken: 0, by_address: BTreeMap::new() };
        Slots { table: Arc::new(Mutex::new(table)) }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("nobody panics with it")
    }

    /// `None` if there is none left.
    pub(super) fn take(&self, address: IpAddr) -> Option<Slot> {
        let address = address.to_canonical();
        let mut table = self.table();
        if table.taken >= table.max {
            return None;
        }
        table.taken += 1;
        *table.by_address.entry(address).or_default() += 1;
        Some(Slot { slots: self.clone(), address })
    }

    pub(super) fn are_taken(&self) -> bool {
        let table = self.table();
        table.taken >= table.max
    }

    /// Connections of this address.
    pub(super) fn of(&self, address: IpAddr) -> u32 {
        self.table().by_address.get(&address.to_canonical()).copied().unwrap_or(0)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut table = self.slots.table();
        table.taken -= 1;
        if let Some(count) = table.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                table.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_free_again_when_its_connection_is_gone() {
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let mapped: IpAddr = "::ffff:10.0.0.1".parse().expect("an address");
        let slots = Slots::new(3);
        let taken: Vec<Slot> =
            [one, mapped, other].map(|ip| slots.take(ip)).into_iter().flatten().collect();
        assert_eq!((taken.len(), slots.of(one), slots.of(other)), (3, 2, 1));
        assert!(slots.take(other).is_none() && slots.are_taken());
        drop(taken);
        assert_eq!((slots.of(one), slots.table().by_address.len()), (0, 0));
        assert!(slots.take(other).is_some());
    }
}

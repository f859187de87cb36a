//! How many links one address may have to a port.
//!
//! Servers have one link each; many of them may stand behind one address. A stranger has no right
//! to more.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::base::limits::PEER_LINKS_PER_ADDRESS_MAX;
use crate::runtime::ip_of;

/// The links of one port, counted by the address they come from.
#[derive(Clone, Default, Debug)]
pub struct Places {
    taken: Rc<RefCell<BTreeMap<String, usize>>>,
}

/// One link's place, free again when this is dropped.
#[derive(Debug)]
pub struct Place {
    address: String,
    places: Places,
}

impl Places {
    /// A place for a link from `peer` (`ip:port`); `None` if its address has too many.
    pub fn take(&self, peer: &str) -> Option<Place> {
        let address = ip_of(peer).to_owned();
        let mut taken = self.taken.borrow_mut();
        let count = taken.entry(address.clone()).or_default();
        if *count >= PEER_LINKS_PER_ADDRESS_MAX {
            return None;
        }
        *count += 1;
        Some(Place { address, places: self.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.borrow_mut();
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_places_whatever_its_ports() {
        let places = Places::default();
        let peer = |port: usize| format!("[::1]:{port}");
        let mut held: Vec<_> =
            (0..PEER_LINKS_PER_ADDRESS_MAX).map(|port| places.take(&peer(port))).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(places.take(&peer(9999)).is_none());
        assert!(places.take("[::2]:1").is_some(), "another address has its own");
        held.pop();
        assert!(places.take(&peer(9999)).is_some());
        drop(held);
        assert!(places.taken.borrow().is_empty(), "addresses are not remembered");
    }
}

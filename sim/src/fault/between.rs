//! Between which machines of a world links lie.

use crate::grammar::{Links, Ports};
use crate::world::{Plane, World, server_name};

/// Calls with each direction of these links: from which machine to which, on which plane.
pub(super) fn each_link(world: &World, links: &Links, mut act: impl FnMut(&str, &str, Plane)) {
    if let Links::Clients(servers) = links {
        for server in servers {
            for client in world.clients() {
                act(&client, &server_name(*server), Plane::Client);
                act(&server_name(*server), &client, Plane::Client);
            }
        }
    }
    let planes: &[Plane] = match links.ports() {
        None => &[],
        Some(Ports::Both) => &[Plane::Election, Plane::Quorum],
        Some(Ports::Election) => &[Plane::Election],
        Some(Ports::Quorum) => &[Plane::Quorum],
    };
    for (from, to) in links.pairs() {
        planes.iter().for_each(|plane| act(&server_name(from), &server_name(to), *plane));
    }
}

//! The servers of an ensemble: who votes, in which group, and which of them this one is.
//! (QuorumPeerConfig.parseDynamicConfig, setupMyId, setupClientPort, setupPeerType;
//! QuorumMaj, QuorumHierarchical)
//!
//! A file without servers, or with a single voter where `standaloneEnabled` is not false, is that
//! of a standalone server. Not here: counting votes (`quorum`).

use std::collections::BTreeMap;
use std::path::Path;

use super::draft::Draft;
use super::error::{At, ConfigError};
use super::properties::{Entry, read_properties};
use super::server_line::parse_role;
use super::{LearnerType, ServerSpec};
use crate::base::ServerId;
use crate::runtime::HostPort;

/// What this server is to others.
pub(super) enum Place {
    Standalone {
        client: Option<HostPort>,
    },
    Member {
        my_id: ServerId,
        servers: BTreeMap<ServerId, ServerSpec>,
        hierarchical: bool,
        client: Option<HostPort>,
    },
}

/// The servers in the text of a configuration, as servers send it to each other without the line
/// of its version.
#[derive(Clone, Debug)]
pub struct Members {
    pub servers: BTreeMap<ServerId, ServerSpec>,
    pub hierarchical: bool,
}

/// Reads lines of servers, groups and weights. A text without voters is refused.
pub fn read_members(text: &str) -> Result<Members, ConfigError> {
    let file = "a configuration";
    let mut draft = Draft { file: file.into(), ..Draft::default() };
    draft.add_dynamic(file, read_properties(text, file)?)?;
    let groups = read_groups(&draft)?;
    let weights = read_weights(&mut draft)?;
    let servers = server_specs(&draft, &groups, &weights);
    check_voters(&mut draft, &servers, false)?;
    Ok(Members { servers, hierarchical: !groups.is_empty() })
}

/// The version in the name of a dynamic file, as in `zoo.cfg.dynamic.100000002`; 0 without one.
/// (QuorumPeerConfig.getVersionFromFilename)
pub(super) fn version_in_name(file: &str) -> i64 {
    let suffix = file.rsplit_once('.').map(|(_, suffix)| suffix);
    let version = suffix.and_then(|hex| i64::from_str_radix(hex, 16).ok());
    version.filter(|version| *version > 0).unwrap_or(0)
}

/// `client` is what `clientPort` and `clientPortAddress` say, `myid` the text of that file.
pub(super) fn read_membership(
    draft: &mut Draft,
    client: Option<HostPort>,
    myid: Option<&str>,
) -> Result<Place, ConfigError> {
    let standalone_enabled = draft.boolean("standaloneEnabled")?.unwrap_or(true);
    let peer_type = peer_type(draft)?;
    if draft.servers.is_empty() {
        reject_groups_without_servers(draft)?;
        return match standalone_enabled {
            true => Ok(Place::Standalone { client }),
            false => Err(ConfigError::TooFewVoters {
                at: draft.whole_file(),
                voters: 0,
                observers: 0,
                what: "standaloneEnabled=false needs server.N lines",
            }),
        };
    }
    reject_shared_addresses(draft)?;
    let groups = read_groups(draft)?;
    let weights = read_weights(draft)?;
    let specs = server_specs(draft, &groups, &weights);
    check_voters(draft, &specs, standalone_enabled)?;
    let voters = specs.values().filter(|s| s.learner_type == LearnerType::Participant).count();
    if voters == 1 && standalone_enabled {
        let (id, spec) = specs.into_iter().next().expect("one voter");
        draft.warnings.push(format!(
            "server.{id} is the only server: it runs standalone, without an ensemble \
             (standaloneEnabled=false makes it an ensemble of one)"
        ));
        // Apache looks into the line only if myid says that it is this server's.
        let is_own = myid.is_some_and(|text| text.trim().parse() == Ok(id.0));
        if is_own || client.is_none() {
            let client = client_address(draft, id, spec.client, client)?;
            return Ok(Place::Standalone { client });
        }
        if spec.client.is_some_and(|listed| Some(listed.port) != client.as_ref().map(|c| c.port)) {
            let at = draft.servers[&id.0].0.value_at.clone();
            draft.warn_at(&at, "without a myid that names this server, clientPort counts");
        }
        return Ok(Place::Standalone { client });
    }
    let my_id = own_id(draft, myid)?;
    let spec = &specs[&my_id];
    if peer_type.is_some_and(|role| role != spec.learner_type) {
        let entry = &draft.servers[&my_id.0].0;
        let at = entry.key_at.clone();
        draft.warn_at(&at, "peerType says otherwise; the role in the server line counts");
    }
    let client = client_address(draft, my_id, spec.client.clone(), client)?;
    let hierarchical = !draft.groups.is_empty();
    Ok(Place::Member { my_id, servers: specs, hierarchical, client })
}

fn peer_type(draft: &Draft) -> Result<Option<LearnerType>, ConfigError> {
    let Some(entry) = draft.setting("peerType") else { return Ok(None) };
    parse_role(&entry.value).map(Some).ok_or_else(|| entry.mistyped(0, "participant or observer"))
}

/// `1, 2, 3`: the servers of the ensemble, for error texts.
fn ids(draft: &Draft) -> String {
    draft.servers.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn reject_groups_without_servers(draft: &Draft) -> Result<(), ConfigError> {
    match draft.groups.values().chain(draft.weights.values()).next() {
        None => Ok(()),
        Some(entry) => Err(ConfigError::MissingKey {
            file: entry.key_at.file.clone(),
            key: "server.N",
            why: ", although groups or weights are given",
        }),
    }
}

/// Two servers cannot listen at one place, and a copied line is most likely a typing error.
fn reject_shared_addresses(draft: &Draft) -> Result<(), ConfigError> {
    let mut taken: BTreeMap<&HostPort, i64> = BTreeMap::new();
    for (id, (entry, line)) in &draft.servers {
        for address in [&line.quorum, &line.election] {
            if let Some(other) = taken.insert(address, *id) {
                return Err(ConfigError::DuplicateAddress {
                    at: entry.value_at.clone(),
                    id: *id,
                    other,
                    address: address.to_string(),
                });
            }
        }
    }
    Ok(())
}

/// The group of each server. Empty without `group.N` lines.
fn read_groups(draft: &Draft) -> Result<BTreeMap<i64, i64>, ConfigError> {
    let mut groups = BTreeMap::new();
    for (group, entry) in &draft.groups {
        for member in entry.value.split(':') {
            let id: i64 = member.trim().parse().map_err(|_| {
                entry.mistyped(0, "server numbers with colons between them, as in 1:2:3")
            })?;
            let at = entry.value_at.clone();
            if !draft.servers.contains_key(&id) {
                return Err(ConfigError::GroupMemberUnknown { at, group: *group, id });
            }
            if let Some(other) = groups.insert(id, *group) {
                return Err(ConfigError::GroupsOverlap { at, id, group: *group, other });
            }
        }
    }
    if !groups.is_empty() {
        let outside = draft.servers.iter().find(|(id, (_, line))| {
            line.learner_type == LearnerType::Participant && !groups.contains_key(*id)
        });
        if let Some((id, (entry, _))) = outside {
            return Err(ConfigError::ServerWithoutGroup { at: entry.key_at.clone(), id: *id });
        }
    }
    Ok(groups)
}

fn read_weights(draft: &mut Draft) -> Result<BTreeMap<i64, i64>, ConfigError> {
    let mut weights = BTreeMap::new();
    let mut strangers: Vec<(At, String)> = Vec::new();
    for (id, entry) in &draft.weights {
        if draft.groups.is_empty() {
            let (at, key) = (entry.key_at.clone(), entry.key.clone());
            return Err(ConfigError::WeightWithoutGroups { at, key });
        }
        let weight =
            entry.value.parse::<i64>().ok().filter(|w| (0..=i64::from(i32::MAX)).contains(w));
        let weight =
            weight.ok_or_else(|| entry.mistyped(0, "a weight: a whole number, 0 or more"))?;
        if !draft.servers.contains_key(id) {
            strangers.push((entry.key_at.clone(), format!("there is no server.{id}")));
        }
        weights.insert(*id, weight);
    }
    for (at, text) in strangers {
        draft.warn_at(&at, &text);
    }
    Ok(weights)
}

fn server_specs(
    draft: &Draft,
    groups: &BTreeMap<i64, i64>,
    weights: &BTreeMap<i64, i64>,
) -> BTreeMap<ServerId, ServerSpec> {
    let spec = |(id, (_, line)): (&i64, &(Entry, super::server_line::ServerLine))| {
        let spec = ServerSpec {
            quorum: line.quorum.clone(),
            election: line.election.clone(),
            client: line.client.clone(),
            learner_type: line.learner_type,
            weight: weights.get(id).copied().unwrap_or(1),
            group: groups.get(id).copied(),
        };
        (ServerId(*id), spec)
    };
    draft.servers.iter().map(spec).collect()
}

fn check_voters(
    draft: &mut Draft,
    specs: &BTreeMap<ServerId, ServerSpec>,
    standalone_enabled: bool,
) -> Result<(), ConfigError> {
    let voting = |s: &&ServerSpec| s.learner_type == LearnerType::Participant;
    let voters = specs.values().filter(voting).count();
    let observers = specs.len() - voters;
    let at = draft.servers.values().next().map_or(draft.whole_file(), |(e, _)| e.key_at.clone());
    let too_few = |what| ConfigError::TooFewVoters { at: at.clone(), voters, observers, what };
    match voters {
        0 => return Err(too_few("observers need voters to observe")),
        1 if standalone_enabled && observers > 0 => {
            return Err(too_few(
                "a standalone server has no observers; \
                 standaloneEnabled=false makes it an ensemble of one",
            ));
        }
        1 => {}
        2 => draft.warnings.push(
            "two voters need both for a quorum: no failure is tolerated, three would allow one"
                .into(),
        ),
        n if n % 2 == 0 => draft.warnings.push(format!(
            "{n} voters tolerate no more failures than {}: prefer an odd number",
            n - 1
        )),
        _ => {}
    }
    if specs.values().filter(voting).all(|s| s.weight == 0) {
        return Err(ConfigError::NoWeight { at });
    }
    Ok(())
}

fn own_id(draft: &Draft, myid: Option<&str>) -> Result<ServerId, ConfigError> {
    let data_dir = draft.setting("dataDir").map(|entry| entry.value.as_str()).unwrap_or_default();
    let file = Path::new(data_dir).join("myid").display().to_string();
    let ids = ids(draft);
    let Some(text) = myid else {
        let example = draft.servers.keys().next().copied().unwrap_or(1);
        return Err(ConfigError::MissingMyid { file, example, ids });
    };
    let text = text.lines().next().unwrap_or_default().trim();
    let Ok(myid) = text.parse::<i64>() else {
        return Err(ConfigError::MyidNotANumber { file, text: text.into(), ids });
    };
    if !draft.servers.contains_key(&myid) {
        return Err(ConfigError::MyidNotListed { file, myid, ids });
    }
    Ok(ServerId(myid))
}

/// The client part of the own server line, or `clientPort`. With both, the ports must be equal,
/// and the hosts too unless `clientPort` is open to all: then the server line says more.
fn client_address(
    draft: &Draft,
    my_id: ServerId,
    in_list: Option<HostPort>,
    in_file: Option<HostPort>,
) -> Result<Option<HostPort>, ConfigError> {
    let (Some(listed), Some(given)) = (&in_list, &in_file) else {
        return Ok(in_list.or(in_file));
    };
    let open = given.is_any();
    if given.port != listed.port || (!open && given.host != listed.host) {
        return Err(ConfigError::ClientAddressConflict {
            at: draft.servers[&my_id.0].0.value_at.clone(),
            id: my_id.0,
            in_list: listed.to_string(),
            other_key: if open { "clientPort" } else { "clientPortAddress with clientPort" },
            otherwise: given.to_string(),
        });
    }
    Ok(in_list)
}

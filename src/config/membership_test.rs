//! The version of a membership, and the files that a reconfiguration leaves behind.

use super::membership::version_in_name;
use super::{Environment, ServerConfig};

#[test]
fn the_name_of_a_dynamic_file_ends_with_its_version() {
    for (name, version) in [
        ("/conf/zoo.cfg.dynamic.100000002", 0x1_0000_0002),
        ("/conf/zoo.cfg.dynamic.1A", 0x1a),
        ("/conf/zoo.cfg.dynamic", 0),
        ("/conf.1/members", 0),
        ("members", 0),
        ("members.-5", 0),
        ("members.10000000000000000", 0),
    ] {
        assert_eq!(version_in_name(name), version, "{name}");
    }
}

/// What Apache leaves behind where an ensemble of three was reconfigured to two of them.
#[test]
fn the_files_of_a_reconfigured_ensemble_start_its_members_and_refuse_who_was_removed() {
    let dir = tempfile::tempdir().expect("a directory for temporary files");
    let at = |name: &str| dir.path().join(name);
    let write =
        |name: &str, text: &str| std::fs::write(at(name), text).expect("a writable directory");
    let dynamic = at("zoo.cfg.dynamic.100000002");
    write(
        "zoo.cfg",
        &format!(
            "reconfigEnabled=true\ninitLimit=10\nsyncLimit=5\ntickTime=2000\ndataDir={}\n\
         dynamicConfigFile={}\n",
            dir.path().display(),
            dynamic.display()
        ),
    );
    write(
        "zoo.cfg.dynamic.100000002",
        "server.1=zk1:2888:3888:participant;0.0.0.0:2181\n\
         server.2=zk2:2888:3888:participant;0.0.0.0:2181",
    );
    write("myid", "2\n");
    let loaded = ServerConfig::load(&at("zoo.cfg"), &Environment::default())
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(loaded.config.config_version, 0x1_0000_0002);
    assert_eq!(loaded.config.servers.len(), 2);
    write("myid", "3\n");
    let refused = ServerConfig::load(&at("zoo.cfg"), &Environment::default())
        .expect_err("it was removed")
        .to_string();
    assert!(refused.contains("there is no server.3 in the ensemble"), "{refused}");
}

//! Records shared by all protocols: Id, ACL, Stat (zookeeper.jute module data).

use super::codec::records;
use crate::base::Zxid;

records! {
    Id { scheme: String, id: String }

    Acl { perms: i32, id: Id }

    /// What a client sees of a znode: 68 bytes.
    Stat {
        czxid: Zxid,
        mzxid: Zxid,
        ctime: i64,
        mtime: i64,
        version: i32,
        cversion: i32,
        aversion: i32,
        ephemeral_owner: i64,
        data_length: i32,
        num_children: i32,
        pzxid: Zxid,
    }

    /// What a snapshot keeps of a znode: 60 bytes. `cversion` counts child creations only.
    StatPersisted {
        czxid: Zxid,
        mzxid: Zxid,
        ctime: i64,
        mtime: i64,
        version: i32,
        cversion: i32,
        aversion: i32,
        ephemeral_owner: i64,
        pzxid: Zxid,
    }
}

/// Permission bits of an ACL (ZooDefs.Perms).
pub mod perms {
    pub const READ: i32 = 1;
    pub const WRITE: i32 = 2;
    pub const CREATE: i32 = 4;
    pub const DELETE: i32 = 8;
    pub const ADMIN: i32 = 16;
    pub const ALL: i32 = 31;
}

impl Acl {
    /// world:anyone with all permissions.
    pub fn open() -> Vec<Acl> {
        vec![Acl { perms: perms::ALL, id: Id { scheme: "world".into(), id: "anyone".into() } }]
    }
}

//! Records shared by all protocols: Id, ACL, Stat (zookeeper.jute module data).

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::codec::{DecodeError, Jute, Reader, records};
use crate::base::Zxid;

/// A null is read as an empty text: kazoo sends one for the id of scheme `auth`, which has none.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Id {
    pub scheme: String,
    pub id: String,
}

impl Jute for Id {
    const BYTES_MIN: usize = 2 * String::BYTES_MIN;

    fn encode(&self, out: &mut Vec<u8>) {
        self.scheme.encode(out);
        self.id.encode(out);
    }

    fn decode(from: &mut Reader) -> Result<Id, DecodeError> {
        let scheme = from.ustring()?.unwrap_or_default();
        Ok(Id { scheme, id: from.ustring()?.unwrap_or_default() })
    }
}

/// What a connection has proven. It goes with every request: copies are one list.
pub type Ids = Rc<Vec<Id>>;

impl Jute for Option<Ids> {
    const BYTES_MIN: usize = 4;

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            None => (-1).encode(out),
            Some(ids) => ids.as_ref().encode(out),
        }
    }

    fn decode(from: &mut Reader) -> Result<Option<Ids>, DecodeError> {
        Ok(from.vector()?.map(Rc::new))
    }
}

records! {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_null_id_is_an_empty_one() {
        let bytes: &[u8] = b"\0\0\0\x1f\0\0\0\x04auth\xff\xff\xff\xff";
        let acl = Acl::decode(&mut Reader::new(bytes.to_vec().into()));
        let id = Id { scheme: "auth".into(), id: String::new() };
        assert_eq!(acl, Ok(Acl { perms: perms::ALL, id }));
    }
}

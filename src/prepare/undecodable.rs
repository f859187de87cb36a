//! What a request is answered whose bytes are no record of its operation, or have a null in it.

use super::Step;
use super::create::create_mode;
use super::request::{Write, with_empty_at};
use crate::jute::DecodeError;
use crate::jute::client::{code, op};

impl Step<'_> {
    /// The code of a request that is no record of its operation, or has a null in it.
    pub(super) fn refuse_bytes(&mut self, error: &DecodeError) -> i32 {
        let checks_paths = matches!(self.request.op, op::SET_DATA | op::SET_ACL);
        match error {
            DecodeError::Unknown { what: "operation", .. } => code::UNIMPLEMENTED,
            // A null path: these look at it as they look at any other.
            DecodeError::Null { offset: 0 } if checks_paths => {
                self.check_session().err().unwrap_or(code::BAD_ARGUMENTS)
            }
            DecodeError::Null { offset: 0 } => {
                self.refuse_mode_without_path().err().unwrap_or(code::MARSHALLING_ERROR)
            }
            _ => code::MARSHALLING_ERROR,
        }
    }

    /// What a create says of its node is looked at before its path is.
    fn refuse_mode_without_path(&self) -> Result<(), i32> {
        let with_path = with_empty_at(&self.request.body, 0);
        match with_path.map(|body| Write::decode(self.request.op, &body)) {
            Some(Ok(Write::Create(create))) => {
                create_mode(&create, self.options.extended_types).map(|_| ())
            }
            _ => Ok(()),
        }
    }
}

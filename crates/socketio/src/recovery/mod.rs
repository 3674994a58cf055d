//! Recovery of connection state: a client that lost its connection goes on over another one as the
//! same socket, and is shown what it missed. The logs have that; what is kept here is where it was.
mod delivery_log;
mod registry;
mod resume;

pub(crate) use self::registry::{Recovery, RecoveryHandle};
pub use self::{
    delivery_log::{NOTES, Offset, ResumePoint},
    registry::{RECOVERY_BYTES, Resumed},
    resume::ResumeRequest,
};

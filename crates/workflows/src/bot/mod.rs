//! The bot: it reads what somebody wants, suggests steps, and asks before they are run.
pub(crate) mod dialogue;
pub(crate) mod intent;
pub(crate) mod name;
pub(crate) mod suggest;
pub(crate) mod texts;

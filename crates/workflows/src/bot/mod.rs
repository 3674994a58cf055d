//! The bot: it classifies a message, suggests steps, and asks for a confirmation.
pub(crate) mod dialogue;
pub(crate) mod intent;
pub(crate) mod name;
pub(crate) mod suggest;
pub(crate) mod texts;

//! Archives of chats: `.tar.gz` files with everything that a restore needs.
mod chat;
mod description;
mod path;
mod read;
mod write;

pub(crate) use self::{
    chat::{Restored, understand},
    description::describe,
    read::{Unpacked, unpack},
    write::{Writer, fits},
};

/// Entry with the description of the chat.
const METADATA: &str = "metadata.json";

/// The full description in archives of the original.
const FULL_METADATA: &str = "conversation_metadata.json";

/// Upper bound on the description, in bytes.
pub(crate) const MAX_METADATA: u64 = 16 << 20;

/// Upper bound on the entries of an archive: any chat fits, with its description.
pub(crate) const MAX_ENTRIES: usize = quadrille_store::ChatFile::MAX + 1;

/// Upper bound on the messages, runs and steps of a chat together.
pub(crate) const MAX_PARTS: usize = 10_000;

/// Upper bound on all files of an archive together, in multiples of the largest upload.
pub(crate) const SIZE_FACTOR: u64 = 16;

/// An archive cannot be made or restored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadArchive {
    #[error("The dump file is not a .tar.gz archive, or is broken: {0}")]
    Broken(String),
    #[error("The dump file has the entry {0:?}, {1}")]
    Entry(String, &'static str),
    #[error("An archive has at most {MAX_ENTRIES} entries")]
    Entries,
    #[error(
        "A chat in an archive has at most {MAX_PARTS} messages, runs and steps together; \
         this one has {messages} messages, {runs} runs and {steps} steps"
    )]
    Parts { messages: usize, runs: usize, steps: usize },
    #[error("An archive holds at most {} MiB of messages and steps", MAX_METADATA >> 20)]
    TooMuch,
    #[error("The dump file has no {METADATA}")]
    NoMetadata,
    #[error("The dump file's description of the chat: {0}")]
    Metadata(String),
    #[error(
        "The files of an archive have at most {0} bytes together; \
         the operator may raise files.max_upload_size"
    )]
    TooLarge(u64),
    /// The scratch folder failed.
    #[error(transparent)]
    Scratch(std::io::Error),
}

#[cfg(test)]
mod tests;

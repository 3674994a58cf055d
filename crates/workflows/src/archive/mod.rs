//! A chat in one file: a tar archive under gzip, with everything that is needed to have it again.
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

/// What describes the chat.
const METADATA: &str = "metadata.json";

/// The same in archives of the original, whose `metadata.json` says less.
const FULL_METADATA: &str = "conversation_metadata.json";

/// Bytes of such a description.
pub(crate) const MAX_METADATA: u64 = 16 << 20;

/// Files and folders in an archive: any chat fits, with its description.
pub(crate) const MAX_ENTRIES: usize = quadrille_store::ChatFile::MAX + 1;

/// Messages, runs and steps of a chat, together.
pub(crate) const MAX_PARTS: usize = 10_000;

/// How many times the largest upload all files of an archive may be together.
pub(crate) const UPLOADS: u64 = 16;

/// Why there is no chat in an archive.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadArchive {
    #[error("The dump file is no .tar.gz archive, or is broken: {0}")]
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
    /// Where it is unpacked, something failed.
    #[error(transparent)]
    Scratch(std::io::Error),
}

#[cfg(test)]
mod tests;

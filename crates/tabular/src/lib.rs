//! Operations on spreadsheets: rows stream in and out, so memory does not grow with the file.
mod arguments;
mod cell;
mod date;
mod distinct;
mod error;
mod json;
mod limits;
mod normalize;
mod number;
mod op;
mod operation;
mod output;
mod progress;
mod read;
mod run;
mod template;
mod write;

pub use cell::{Cell, Row, float_text};
pub use error::{BadArguments, ColumnName, Error, TooMuch, Unreadable};
pub use limits::Limits;
pub use normalize::TYPES;
pub use op::search::OPERATORS;
pub use operation::{NAMES, Operation, Outcome, Task, columns};
pub use progress::{EVERY, Progress, Watch};

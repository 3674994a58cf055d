//! Operations on spreadsheets: rows stream in and out, so memory does not grow with the file.
//!
//! ```
//! use std::{ops::ControlFlow, time::SystemTime};
//!
//! use quadrille_tabular::{Limits, Operation, Task};
//!
//! # let folder = tempfile::tempdir()?;
//! let input = folder.path().join("people.csv");
//! std::fs::write(&input, "name,age\nAnn,41\nBob,7\n")?;
//!
//! let arguments = r#"{"conditions":[{"column":"age","operator":"less_than","value":18}]}"#;
//! let operation = Operation::parse("csv/search", arguments)?;
//! let task = Task {
//!     input: &input,
//!     name: "people.csv",
//!     sheet: None,
//!     folder: folder.path(),
//!     output: None,
//!     bind_file: None,
//!     now: SystemTime::now(),
//!     backup_original: true,
//!     limits: Limits::default(),
//! };
//! let outcome = operation.run(&task, &mut |_progress| ControlFlow::Continue(()))?;
//!
//! let found = std::fs::read_to_string(outcome.file.expect("a search leaves a file"))?;
//! assert_eq!(found, "name,age\nBob,7\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
mod arguments;
mod budget;
mod cell;
mod date;
mod distinct;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod info;
mod inline;
mod json;
mod limits;
mod name;
mod normalize;
mod number;
mod op;
mod operation;
mod output;
mod patterns;
mod progress;
mod read;
mod run;
mod task;
mod template;
mod write;

pub use cell::{Cell, Row, float_text};
pub use error::{BadArguments, ColumnName, Error, TooMuch, Unreadable};
pub use info::TableInfo;
pub use limits::Limits;
pub use name::same as same_name;
pub use normalize::TYPES;
pub use op::{
    search::{OPERATORS, TEXT_OPERATORS},
    sql::DATABASES,
};
pub use operation::{NAMES, Operation, columns};
pub use progress::{OnProgress, Progress, ROWS_PER_CALLBACK};
pub use task::{Outcome, Task};
pub use write::formula::Defuse;

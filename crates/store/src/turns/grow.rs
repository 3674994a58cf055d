//! Stores what replies have grown by.
use super::model::Segment;
use crate::{Error, Store, db::writing, store::clean};

/// Segments of one statement.
const ROWS: usize = 100;

/// Ends before the rows.
const NEW: &str = "WITH new (turn_id, start, text) AS (VALUES ";

/// Leaves segments out whose turn has ended. One that comes again was stored although its answer was
/// lost, and may be longer by now.
const ADD: &str = ")
    INSERT INTO turn_segments (turn_id, start, text)
    SELECT new.turn_id, new.start, new.text FROM new
    JOIN turns ON turns.id = new.turn_id WHERE turns.state = 'open'
    ON CONFLICT (turn_id, start) DO UPDATE SET text = excluded.text";

impl Store {
    /// Stores the segments of any number of turns in one transaction. Those of turns that are not
    /// open are left out.
    pub async fn grow_turns(&self, segments: &[Segment]) -> Result<(), Error> {
        if segments.is_empty() {
            return Ok(());
        }
        writing!(self, |tx| {
            for rows in segments.chunks(ROWS) {
                let mut query = sqlx::QueryBuilder::new(NEW);
                for (n, row) in rows.iter().enumerate() {
                    query.push(if n == 0 { "(" } else { ", (" });
                    query.push_bind(row.turn).push(", ").push_bind(row.start).push(", ");
                    query.push_bind(clean(&row.text).into_owned()).push(")");
                }
                query.push(ADD);
                query.build().execute(&mut *tx).await?;
            }
        });
        Ok(())
    }
}

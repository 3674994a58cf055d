//! Users and their names.
use crate::{
    Error, Store,
    db::{reading, writing},
    store::{clean, now},
};

/// Creates user $1 at time $2 if there is none.
pub(crate) const ENSURE: &str =
    "INSERT INTO users (id, created_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";

const PUT: &str = "
    INSERT INTO users (id, name, created_at) VALUES ($1, $2, $3)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name WHERE excluded.name IS NOT NULL";

const NAME: &str = "SELECT name FROM users WHERE id = $1";

impl Store {
    /// Creates the user if needed, and sets the name unless it is `None`.
    pub async fn put_user(&self, id: &str, name: Option<&str>) -> Result<(), Error> {
        let (id, name) = (clean(id), name.map(clean));
        writing!(self, |tx| {
            let put = sqlx::query(PUT).bind(&*id).bind(name.as_deref()).bind(now());
            put.execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Returns the name of a user. `None` without a name, and for unknown users.
    pub async fn user_name(&self, id: &str) -> Result<Option<String>, Error> {
        let id = clean(id);
        let name: Option<Option<String>> = reading!(self, |connection| {
            sqlx::query_scalar(NAME).bind(&*id).fetch_optional(connection).await?
        });
        Ok(name.flatten())
    }
}

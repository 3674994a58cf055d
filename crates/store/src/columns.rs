//! How columns become values: structs by the names of columns, enums by the words of the schema.

/// Implements `FromRow` for a struct: `field: Type = "column"`, then fields that no column has.
///
/// Replaces sqlx's derive, whose crate would build both database drivers a second time, for the
/// compiler.
macro_rules! from_row {
    ($name:ty { $($field:ident: $type:ty = $column:literal,)* $(; $($other:ident: $value:expr,)*)? }) => {
        impl<'r, R: sqlx::Row> sqlx::FromRow<'r, R> for $name
        where
            &'static str: sqlx::ColumnIndex<R>,
            $($type: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,)*
        {
            fn from_row(row: &'r R) -> sqlx::Result<Self> {
                Ok(Self {
                    $($field: row.try_get::<$type, _>($column)?,)*
                    $($($other: $value,)*)?
                })
            }
        }
    };
}

/// Makes an enum whose values are words in the database and on the wire. A word that the schema does
/// not have is an error of the column.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $value:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$about])* $value,)*
        }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$value),*];

            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)*
                }
            }

            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$value),)*
                    _ => None,
                }
            }
        }

        impl<D: sqlx::Database> sqlx::Type<D> for $name
        where
            str: sqlx::Type<D>,
        {
            fn type_info() -> D::TypeInfo {
                <str as sqlx::Type<D>>::type_info()
            }

            fn compatible(column: &D::TypeInfo) -> bool {
                <str as sqlx::Type<D>>::compatible(column)
            }
        }

        impl<'r, D: sqlx::Database> sqlx::Decode<'r, D> for $name
        where
            &'r str: sqlx::Decode<'r, D>,
        {
            fn decode(value: D::ValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
                let word = <&str as sqlx::Decode<'r, D>>::decode(value)?;
                Self::parse(word).ok_or_else(|| format!("unknown word {word:?}").into())
            }
        }
    };
}

pub(crate) use {from_row, words};

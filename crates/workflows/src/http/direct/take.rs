//! The form of a request: its files go to a folder for this request alone, its texts stay.
use std::{collections::HashMap, path::Path};

use axum::extract::Request;
use futures_util::StreamExt;
use quadrille_edge::http::form::{self, Form, FormBody, FormPart};
use quadrille_store::files::Files;
use tokio::{
    fs::File,
    io::{AsyncWriteExt, BufWriter},
};

use super::super::error::Error;

/// The parts that bring files.
pub(super) const FILE: &str = "file";
pub(super) const SOURCE: &str = "source_file";
pub(super) const TARGET: &str = "target_file";
pub(super) const BIND: &str = "bind_file";

/// What came.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// What files are called, by the part, which is also their name in the folder.
    pub(super) files: HashMap<&'static str, String>,
    pub(super) texts: HashMap<String, String>,
}

/// Bytes that are written at once.
const CHUNK: usize = 256 << 10;

/// Take the form; each of its files has at most `limit` bytes.
pub(super) async fn take(request: Request, folder: &Path, limit: u64) -> Result<Taken, Error> {
    let Some(boundary) = form::boundary(request.headers())? else { return Ok(Taken::default()) };
    let mut source = FormBody::new(request.into_body());
    let taken = parts(Form::new(&mut source, boundary, limit), folder, limit).await;
    if taken.is_err() {
        source.drain(limit).await;
    }
    taken
}

/// Of two parts of one name, the first counts.
async fn parts(mut form: Form<'_>, folder: &Path, limit: u64) -> Result<Taken, Error> {
    let mut taken = Taken::default();
    while let Some(part) = form.next().await? {
        let name = part.name().unwrap_or_default().to_owned();
        let file = [FILE, SOURCE, TARGET, BIND].into_iter().find(|it| *it == name);
        match (part.file_name().map(str::to_owned), file) {
            (Some(called), Some(file)) if !called.is_empty() && !taken.files.contains_key(file) => {
                store(part, &folder.join(file), limit).await?;
                // A blank in a name makes addresses of it hard to copy.
                taken.files.insert(file, Files::sanitise(&called).replace(' ', "_"));
            }
            (None, _) if !taken.texts.contains_key(&name) => {
                let text = form.text(part).await?;
                taken.texts.insert(name, text);
            }
            _ => form.skip(part).await?,
        }
    }
    Ok(taken)
}

async fn store(mut part: FormPart<'_>, path: &Path, limit: u64) -> Result<(), Error> {
    let mut file = BufWriter::with_capacity(CHUNK, File::create(path).await?);
    let mut left = limit;
    while let Some(bytes) = part.next().await {
        let bytes = bytes?;
        left = left.checked_sub(bytes.len() as u64).ok_or(Error::FileTooLarge(limit))?;
        file.write_all(&bytes).await?;
    }
    Ok(file.flush().await?)
}

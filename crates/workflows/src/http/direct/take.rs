//! Reads the form of a request: files go to its workspace, texts to memory.
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

/// Parts with files.
pub(super) const FILE: &str = "file";
pub(super) const SOURCE: &str = "source_file";
pub(super) const TARGET: &str = "target_file";
pub(super) const BIND: &str = "bind_file";

/// Parts of a form.
#[derive(Debug, Default)]
pub(super) struct FormParts {
    /// File names of the client, by part. In the workspace, files are called as their part.
    pub(super) files: HashMap<&'static str, String>,
    pub(super) texts: HashMap<String, String>,
}

/// Bytes written at once.
const CHUNK: usize = 256 << 10;

/// Reads the form. Each file has at most `limit` bytes.
pub(super) async fn take(request: Request, folder: &Path, limit: u64) -> Result<FormParts, Error> {
    let Some(boundary) = form::boundary(request.headers())? else {
        return Ok(FormParts::default());
    };
    let mut source = FormBody::new(request.into_body());
    let taken = parts(Form::new(&mut source, boundary, limit), folder, limit).await;
    if taken.is_err() {
        source.drain(limit).await;
    }
    taken
}

/// Reads the parts. Of two with the same name, the first counts.
async fn parts(mut form: Form<'_>, folder: &Path, limit: u64) -> Result<FormParts, Error> {
    let mut taken = FormParts::default();
    while let Some(part) = form.next().await? {
        let name = part.name().unwrap_or_default().to_owned();
        let file = [FILE, SOURCE, TARGET, BIND].into_iter().find(|known| *known == name);
        match (part.file_name().map(str::to_owned), file) {
            (Some(client), Some(file)) if !client.is_empty() && !taken.files.contains_key(file) => {
                store(part, &folder.join(file), limit).await?;
                // URLs with blanks are hard to copy.
                taken.files.insert(file, Files::sanitise(&client).replace(' ', "_"));
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

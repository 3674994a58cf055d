//! Forms with files: these are streamed to the file storage, and become visible once their message
//! is stored.
use axum::extract::Request;
use quadrille_edge::http::form::{Form, FormBody, FormPart};
use quadrille_identity::Action;
use quadrille_store::{NewFile, files::Files};

use super::{
    caller::RoomsCaller,
    error::Error,
    fields::{Fields, Media},
};
use crate::state::State;

/// The fields and files of a request.
#[derive(Debug, Default)]
pub(super) struct Intake {
    pub(super) fields: Fields,
    pub(super) uploads: Vec<Upload>,
    /// Whether the caller may write to the conversation.
    is_open: bool,
}

/// A file whose bytes are stored.
#[derive(Debug)]
pub(super) struct Upload {
    key: String,
    name: String,
    media_type: String,
    size: u64,
}

/// Name of the parts that are files; there may be many.
const FILES: &str = "files";

/// Media type of a file that has none, or an invalid one.
const UNKNOWN: &str = "application/octet-stream";

/// Bytes of a media type.
const MEDIA_TYPE: usize = 100;

impl Intake {
    /// Reads the body. On an error nothing of it is kept.
    pub(super) async fn read(
        state: &State,
        caller: &RoomsCaller,
        request: Request,
    ) -> Result<Self, Error> {
        let ignored = state.storage.max_upload_size;
        let Media::Parts(boundary) = Media::of(request.headers())? else {
            let fields = Fields::read(request, ignored).await?;
            return Ok(Self { fields, ..Self::default() });
        };
        let mut source = FormBody::new(request.into_body());
        let mut intake = Self::default();
        let form = Form::new(&mut source, boundary, ignored);
        if let Err(err) = intake.take(state, caller, form).await {
            discard(state, &intake.uploads).await;
            source.drain(ignored).await;
            return Err(err);
        }
        Ok(intake)
    }

    async fn take(
        &mut self,
        state: &State,
        caller: &RoomsCaller,
        mut form: Form<'_>,
    ) -> Result<(), Error> {
        while let Some(part) = form.next().await? {
            match (part.name(), part.file_name()) {
                // What a browser sends for a field in which no file was chosen.
                (Some(FILES), Some("")) => form.skip(part).await?,
                (Some(FILES), _) => self.keep(state, caller, part).await?,
                (Some(name), None) => {
                    let name = name.to_owned();
                    self.fields.put(name, form.text(part).await?);
                }
                _ => form.skip(part).await?,
            }
        }
        Ok(())
    }

    async fn keep(
        &mut self,
        state: &State,
        caller: &RoomsCaller,
        part: FormPart<'_>,
    ) -> Result<(), Error> {
        let claimed = self.fields.name("user_id")?;
        let user = match caller.user(claimed.as_deref()) {
            Ok(user) => Some(user),
            // That may still come.
            Err(Error::NoUser) => None,
            Err(err) => return Err(err),
        };
        if let Some(user) = &user {
            self.look_ahead(caller, user).await?;
        }
        let name = Files::sanitise(part.file_name().unwrap_or_default());
        let key = Files::key(user.as_deref().unwrap_or("user"), &name);
        let media_type = part.media_type().filter(|media_type| media_type.len() <= MEDIA_TYPE);
        let media_type = media_type.unwrap_or(UNKNOWN).to_owned();
        let size = state.storage.files.put(&key, part, state.storage.max_upload_size).await?;
        self.uploads.push(Upload { key, name, media_type, size });
        Ok(())
    }

    /// Refuses a request for a conversation of others as soon as its id is known.
    async fn look_ahead(&mut self, caller: &RoomsCaller, user: &str) -> Result<(), Error> {
        let Some(id) = self.fields.conversation()?.filter(|_| !self.is_open) else { return Ok(()) };
        caller.conversation(id, Action::Write, Some(user)).await?;
        self.is_open = true;
        Ok(())
    }
}

impl Upload {
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Assigns the file to the user and to the message.
    pub(super) fn as_new(&self) -> NewFile<'_> {
        NewFile {
            key: &self.key,
            user: "",
            conversation: None,
            name: &self.name,
            media_type: &self.media_type,
            size: i64::try_from(self.size).unwrap_or(i64::MAX),
        }
    }
}

/// Deletes the files, which no message refers to.
pub(super) async fn discard(state: &State, uploads: &[Upload]) {
    let keys: Vec<_> = uploads.iter().map(|upload| upload.key.clone()).collect();
    state.storage.files.discard(&keys).await;
}

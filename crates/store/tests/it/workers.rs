//! Chats, runs, and a worker for the tests.
use std::time::Duration;

use quadrille_store::{
    ChatFile, ChatStatus, Claimed, NewChat, NewChatFile, NewRun, NewStep, Place, Run, RunError,
    RunScope, Step, StepKind,
};

use crate::bed::Bed;

pub(crate) const LONG: Duration = Duration::from_mins(1);

impl Bed {
    pub(crate) async fn chat(&self, id: &str, user: Option<&str>) {
        assert!(self.put(id, user, true).await);
    }

    /// False if it is somebody else's.
    pub(crate) async fn put(&self, id: &str, user: Option<&str>, any_owner: bool) -> bool {
        let new = NewChat {
            id,
            user,
            participant: "Otter-1234",
            status: ChatStatus::Created,
            partition: "2026/11",
            metadata: "{}",
            any_owner,
        };
        self.store.put_chat(new).await.unwrap().is_some()
    }

    pub(crate) async fn file(&self, chat: &str, place: Place, name: &str, key: &str) -> ChatFile {
        let new = NewChatFile { place, name, key, size: 3 };
        self.store.add_chat_file(chat, new).await.unwrap().unwrap()
    }

    pub(crate) async fn begin(
        &self,
        chat: &str,
        id: &str,
        kinds: &[StepKind],
    ) -> Result<Run, RunError> {
        let step = |kind: &StepKind| NewStep {
            operation: "csv/search".to_owned(),
            kind: *kind,
            arguments: "{}".to_owned(),
        };
        let steps: Vec<_> = kinds.iter().map(step).collect();
        let input = self.store.chat_files(chat).await.unwrap().last().map(|file| file.id);
        let new = NewRun {
            id,
            chat,
            started_by: "execute",
            steps: &steps,
            input,
            max_waiting: 3,
            share: 2,
            key: None,
        };
        self.store.create_run(new).await
    }

    pub(crate) async fn retry(&self, id: &str) -> Result<Option<Run>, RunError> {
        let run = self.store.run(id).await?.unwrap();
        self.store.retry_run(&run, 3, 3, None).await
    }

    pub(crate) async fn claim(&self) -> Option<Claimed> {
        self.store.claim_run(LONG, RunScope::Anyone).await.unwrap()
    }

    pub(crate) async fn all(&self, id: &str) -> (Run, Vec<Step>) {
        self.store.run_with_steps(id).await.unwrap().unwrap()
    }

    /// Do the next step, as a worker does.
    pub(crate) async fn work(&self, claimed: &Claimed, key: Option<&str>) -> Option<Run> {
        let (run, steps) = self.all(&claimed.run.id).await;
        let step = &steps[usize::try_from(run.next).unwrap()];
        assert!(self.store.begin_step(claimed, step.position).await.unwrap());
        let file =
            key.map(|key| NewChatFile { place: Place::Outputs, name: "out.csv", key, size: 1 });
        let finished = self.store.finish_step(claimed, step, "{}", file).await.unwrap();
        finished.map(|(run, _)| run)
    }
}

pub(crate) const TWO: &[StepKind] = &[StepKind::Internal, StepKind::Internal];

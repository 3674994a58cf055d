//! The official client of `OpenAI` reads recorded answers as the gateway does.
use e2e::official::Reader;

#[tokio::test]
async fn the_client_of_openai_reads_what_the_gateway_reads() {
    Reader::OpenaiPython.reads_what_is_right().await;
}

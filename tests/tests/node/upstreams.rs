//! The official clients of `OpenAI` and of AG-UI read recorded answers as the gateway does.
use e2e::official::Reader;

#[tokio::test]
async fn the_client_of_openai_reads_what_the_gateway_reads() {
    Reader::OpenaiJavascript.reads_what_is_right().await;
}

#[tokio::test]
async fn the_client_of_agui_reads_what_the_gateway_reads() {
    Reader::AguiJavascript.reads_what_is_right().await;
}

// The first revision of the protocol: everything goes by `type`, and nothing is sent before the
// server has said `subscribed`.
//
//   node first_revision.cjs URL CHANNEL
//
// Prints the types of the acknowledgements, and `got PAYLOAD` for the one record it waits for.
const WebSocket = require("ws");

const [url, channel] = process.argv.slice(2);
const socket = new WebSocket(url);
const send = (frame) => socket.send(JSON.stringify(frame));

socket.on("open", () => send({ type: "subscribe", payload: { channel } }));

socket.on("message", (bytes) => {
  const data = JSON.parse(bytes.toString());
  switch (data.type) {
    case "subscribed":
      console.log(data.type, data.payload.channel, data.payload.message);
      send({ type: channel, payload: { message: "from the first revision" } });
      break;
    case channel:
      console.log("got", JSON.stringify(data.payload));
      send({ type: "unsubscribe", payload: { channel } });
      break;
    case "unsubscribed":
      console.log(data.type, data.payload.channel, data.payload.message);
      socket.close(1000);
      break;
    default:
      console.log("unexpected", bytes.toString());
      process.exit(1);
  }
});

socket.on("close", (code) => {
  console.log("closed", code);
});

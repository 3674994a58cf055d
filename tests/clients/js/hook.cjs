// A web page's hook on one channel: it subscribes, shows what arrives for its channel only, comes
// back after any close, and talks with bare frames.
//
//   node hook.cjs URL CHANNEL RECONNECT_AFTER_MS
//
// Prints `shown PAYLOAD` for each record and `closed CODE` for each lost connection. Each time it is
// connected it says hello. After a payload with `final_message` it unsubscribes and leaves.
const WebSocket = require("ws");

const [url, channel, reconnectAfter] = process.argv.slice(2);
let connections = 0;
let done = false;

function connect() {
  const socket = new WebSocket(url);

  socket.onopen = () => {
    connections += 1;
    const payload = { action: "subscribe", channel };
    socket.send(JSON.stringify({ channel: "subscription", payload }));
    const message = { channel, message: "hello", message_id: `hello-${connections}` };
    socket.send(JSON.stringify(message));
  };

  socket.onmessage = (event) => {
    const data = JSON.parse(event.data);
    if (data.channel === channel) {
      console.log("shown", JSON.stringify(data.payload));
      if (data.payload && data.payload.final_message) {
        done = true;
        const payload = { action: "unsubscribe", channel };
        socket.send(JSON.stringify({ channel: "subscription", payload }));
        socket.close();
      }
    }
  };

  socket.onclose = (event) => {
    console.log("closed", event.code);
    if (!done) setTimeout(connect, Number(reconnectAfter));
  };

  socket.onerror = () => {};
}

connect();

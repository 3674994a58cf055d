"""What is recorded, by protocol. Each function takes a transcript and the path of a binary."""

from . import (
    agents, archives, bot, broker, chat_socket, cli, direct, engineio, limits, relay, rooms,
    rooms_clients, rooms_http, topics, work, workflows,
)

PROTOCOLS = {
    "cli": cli.record,
    "topics": topics.record,
    "limits": limits.record,
    "broker": broker.record,
    "relay": relay.record,
    "agents": agents.record,
    "engineio": engineio.record,
    "rooms": rooms.record,
    "rooms-clients": rooms_clients.record,
    "rooms-http": rooms_http.record,
    "workflows": workflows.record,
    "chat-socket": chat_socket.record,
    "work": work.record,
    "archives": archives.record,
    "bot": bot.record,
    "direct": direct.record,
}

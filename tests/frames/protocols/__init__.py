"""What is recorded, by protocol. Each function takes a transcript and the path of a binary."""

from . import agents, bot, broker, cli, direct, engineio, relay, rooms, rooms_http, topics, workflows

PROTOCOLS = {
    "cli": cli.record,
    "topics": topics.record,
    "broker": broker.record,
    "relay": relay.record,
    "agents": agents.record,
    "engineio": engineio.record,
    "rooms": rooms.record,
    "rooms-http": rooms_http.record,
    "workflows": workflows.record,
    "bot": bot.record,
    "direct": direct.record,
}

// better-sse on Node's own HTTP server: one channel, to which every POST is broadcast.
// Run as `node server.mjs PORT`.
import { createServer } from "node:http";
import { createChannel, createSession } from "better-sse";

const channel = createChannel();
let published = 0;

const server = createServer(async (request, response) => {
  if (request.method === "GET") {
    channel.register(await createSession(request, response, { keepAlive: 30_000 }));
    return;
  }
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  published += 1;
  channel.broadcast(JSON.parse(Buffer.concat(pieces).toString()), "message", { eventId: String(published) });
  response.writeHead(204).end();
});

server.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
process.on("SIGTERM", () => process.exit(0));

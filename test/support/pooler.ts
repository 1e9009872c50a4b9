import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

const HOST = '127.0.0.1';
const SSL_REQUEST = 80_877_103;
const IDLE = 'I'.charCodeAt(0);

interface Backend {
  socket: Socket;
  client: Client | undefined;
}

interface Client {
  socket: Socket;
  backend: Backend | undefined;
  /** Requests that wait for a backend. */
  waiting: Buffer[];
}

export interface Pooler {
  /** The URL of the same database, through the pooler. */
  url: string;
  stop(): Promise<void>;
}

/**
 * A pooler in transaction mode, as far as its clients can tell: each transaction goes to the server's
 * connection that has rested longest, so that no two in a row share a session. Prepared statements, SET
 * and LISTEN don't survive that. Both sides go without a password.
 */
export async function startPooler(target: string, connections = 2): Promise<Pooler> {
  const idle: Backend[] = [];
  const queue: Client[] = [];
  const sockets = new Set<Socket>();
  let stopped = false;

  const assign = () => {
    while (idle.length > 0 && queue.length > 0) {
      const client = queue.shift();
      const backend = idle.shift();
      if (!client || !backend) return;
      client.backend = backend;
      backend.client = client;
      for (const request of client.waiting.splice(0)) backend.socket.write(request);
    }
  };
  const rest = (backend: Backend) => {
    if (backend.client) backend.client.backend = undefined;
    backend.client = undefined;
    idle.push(backend);
    assign();
  };
  const addBackend = async () => {
    const backend = await openBackend(target, sockets);
    const read = frames((type, frame) => {
      backend.client?.socket.write(frame);
      // ReadyForQuery outside of a transaction: the session is free for the next client.
      if (type === 'Z' && frame[5] === IDLE) rest(backend);
    });
    backend.socket.on('data', read);
    rest(backend);
  };
  for (let n = 0; n < connections; n += 1) await addBackend();

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    const client: Client = { socket, backend: undefined, waiting: [] };
    const read = frames((type, frame) => {
      if (type === 'X') return;
      if (client.backend) {
        client.backend.socket.write(frame);
        return;
      }
      client.waiting.push(frame);
      if (!queue.includes(client)) queue.push(client);
      assign();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      sockets.delete(socket);
      if (queue.includes(client)) queue.splice(queue.indexOf(client), 1);
      if (!client.backend) return;
      // It left in the middle of a transaction: the session ends with it, and another takes its place.
      client.backend.socket.destroy();
      if (!stopped) addBackend().catch(() => undefined);
    });
    greet(socket, () => socket.on('data', read));
  });
  server.listen(0, HOST);
  await once(server, 'listening');

  const url = new URL(target);
  url.hostname = HOST;
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    async stop() {
      stopped = true;
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

/** Answers a client's start-up as a server would that needs no password. */
function greet(socket: Socket, ready: () => void): void {
  socket.once('data', (startup) => {
    if (startup.readInt32BE(4) === SSL_REQUEST) {
      socket.write('N');
      greet(socket, ready);
      return;
    }
    ready();
    const authenticated = message('R', Buffer.alloc(4));
    const encoding = message('S', Buffer.from('client_encoding\0UTF8\0'));
    socket.write(Buffer.concat([authenticated, encoding, message('Z', Buffer.from('I'))]));
  });
}

async function openBackend(target: string, sockets: Set<Socket>): Promise<Backend> {
  const { hostname, port, pathname, username } = new URL(target);
  const socket = connect(Number(port || 5432), hostname);
  sockets.add(socket);
  await once(socket, 'connect');
  socket.setNoDelay(true);
  socket.on('error', () => undefined);
  const database = decodeURIComponent(pathname.slice(1));
  const options = `user\0${decodeURIComponent(username)}\0database\0${database}\0client_encoding\0UTF8\0\0`;
  const body = Buffer.concat([Buffer.from([0, 3, 0, 0]), Buffer.from(options)]);
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  socket.write(Buffer.concat([length, body]));
  await new Promise<void>((resolve, reject) => {
    const read = frames((type, frame) => {
      if (type === 'E') reject(new Error(frame.subarray(5).toString()));
      if (type !== 'Z') return;
      socket.off('data', read);
      resolve();
    });
    socket.on('data', read);
  });
  return { socket, client: undefined };
}

/** Cuts a stream into the protocol's messages: a letter, the length, and what it says. */
function frames(take: (type: string, frame: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 5) {
      const end = 1 + rest.readInt32BE(1);
      if (rest.length < end) return;
      const frame = rest.subarray(0, end);
      rest = rest.subarray(end);
      take(String.fromCharCode(frame[0] ?? 0), frame);
    }
  };
}

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

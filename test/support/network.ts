import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

const HOST = '127.0.0.1';

/**
 * When the connection breaks: `before` the request leaves, `within` it, or `after` the other side has
 * answered, so that it did the work and nobody hears of it.
 */
export type Cut = 'before' | 'within' | 'after';

interface Link {
  client: Socket;
  server: Socket;
  speaking: 'client' | 'server';
  cutAtAnswer: boolean;
  /** Answers that are held back. */
  held: Buffer[];
}

/** Stands between a client and its server, counts what goes through, and breaks it when it is told to. */
export class Network {
  /** How often a client began to speak after it had been silent: one for each round trip. */
  roundTrips = 0;
  /** How many connections were made. */
  connections = 0;
  /** How many connections were made that nobody answers. */
  unanswered = 0;
  readonly #target: { host: string; port: number };
  readonly #links = new Set<Link>();
  #server: Server | undefined;
  #port = 0;
  #silent = false;
  #swallows = false;
  #holds = false;
  #cut: { when: Cut; at: string; since: string | undefined } | undefined;

  private constructor(target: { host: string; port: number }) {
    this.#target = target;
  }

  /** To the server of this URL. */
  static async to(url: string): Promise<Network> {
    const { hostname, port } = new URL(url);
    const network = new Network({ host: hostname, port: Number(port || 5432) });
    await network.accept();
    return network;
  }

  /** The URL of the same database, through here. */
  url(url: string): string {
    const through = new URL(url);
    through.hostname = HOST;
    through.port = String(this.#port);
    return through.href;
  }

  /** Breaks the first connection on which a request contains `at`, once one with `since` went by. */
  cut(when: Cut, at: string, since?: string): void {
    this.#cut = { when, at, since };
  }

  get cutHappened(): boolean {
    return this.#cut === undefined;
  }

  /** New connections are made, and nobody answers on them. */
  silence(): void {
    this.#silent = true;
  }

  /** Connections stay, new ones are made, and whatever is sent on them is lost. */
  swallow(): void {
    this.#swallows = true;
  }

  /** The server hears everything, and its answers are kept. */
  holdAnswers(): void {
    this.#holds = true;
  }

  /** Everything gets through again, and what was kept. What was lost stays so. */
  deliver(): void {
    this.#silent = false;
    this.#swallows = false;
    this.#holds = false;
    for (const { client, held } of this.#links) {
      for (const chunk of held.splice(0)) client.write(chunk);
    }
  }

  /** Breaks every connection. */
  cutAll(): void {
    for (const link of this.#links) destroy(link);
  }

  /** Breaks every connection and refuses new ones. */
  async refuse(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.cutAll();
    if (!server) return;
    server.close();
    await once(server, 'close');
  }

  /** Takes connections again, on the same port as before. */
  async accept(): Promise<void> {
    const server = createServer((client) => this.#connect(client));
    server.listen(this.#port, HOST);
    await once(server, 'listening');
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
  }

  #connect(client: Socket): void {
    const server = connect(this.#target.port, this.#target.host);
    const link: Link = { client, server, speaking: 'server', cutAtAnswer: false, held: [] };
    this.#links.add(link);
    this.connections += 1;
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      // The end of one side is the end of the other; how it came about doesn't matter here.
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#links.delete(link);
        destroy(link);
      });
    }
    if (this.#silent) {
      this.unanswered += 1;
      return;
    }
    client.on('data', (chunk) => {
      if (!this.#swallows) this.#request(link, chunk);
    });
    server.on('data', (chunk) => {
      link.speaking = 'server';
      if (this.#swallows) return;
      if (link.cutAtAnswer) destroy(link);
      else if (this.#holds) link.held.push(chunk);
      else client.write(chunk);
    });
  }

  #request(link: Link, chunk: Buffer): void {
    if (link.speaking === 'server') this.roundTrips += 1;
    link.speaking = 'client';
    const cut = this.#cut;
    if (cut?.since !== undefined && chunk.includes(cut.since)) cut.since = undefined;
    if (!cut || cut.since !== undefined || !chunk.includes(cut.at)) {
      link.server.write(chunk);
      return;
    }
    this.#cut = undefined;
    if (cut.when === 'after') {
      link.cutAtAnswer = true;
      link.server.write(chunk);
    } else if (cut.when === 'within') {
      link.server.write(chunk.subarray(0, chunk.length / 2), () => destroy(link));
    } else {
      destroy(link);
    }
  }
}

function destroy({ client, server }: Link): void {
  client.destroy();
  server.destroy();
}

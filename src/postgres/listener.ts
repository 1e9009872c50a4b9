import type { Client } from 'pg';
import { sha256 } from '../model/crypto.ts';
import { endClient } from './end-client.ts';

const RECONNECT_MS = 2_000;

/**
 * LISTEN on a connection of its own, opened while somebody watches. It only wakes watchers up: they read
 * the events from the table and poll besides, so a lost notification or a pooler costs time, not events.
 */
export class Listener {
  readonly channel: string;
  readonly #connect: () => Client;
  readonly #subscribers = new Set<() => void>();
  #client: Client | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(schema: string, connect: () => Client) {
    // A channel is a name of at most 63 bytes, and schemas must not wake each other.
    this.channel = `kode_${sha256(schema).slice(0, 24)}`;
    this.#connect = connect;
  }

  subscribe(onChange: () => void): () => void {
    this.#subscribers.add(onChange);
    if (!this.#client) this.#open();
    return () => {
      this.#subscribers.delete(onChange);
      if (this.#subscribers.size === 0) void this.#drop();
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#subscribers.clear();
    await this.#drop();
  }

  #open(): void {
    clearTimeout(this.#retry);
    const client = this.#connect();
    this.#client = client;
    client.on('notification', () => this.#wake());
    const lost = () => {
      if (this.#client !== client) return;
      this.#client = undefined;
      void endClient(client);
      if (this.#closed || this.#subscribers.size === 0) return;
      this.#retry = setTimeout(() => this.#open(), RECONNECT_MS);
      this.#retry.unref();
    };
    client.on('error', lost);
    client.on('end', lost);
    client
      .connect()
      .then(() => client.query(`LISTEN ${this.channel}`))
      .then(() => this.#wake(), lost);
  }

  #wake(): void {
    for (const subscriber of this.#subscribers) subscriber();
  }

  async #drop(): Promise<void> {
    clearTimeout(this.#retry);
    const client = this.#client;
    this.#client = undefined;
    if (client) await endClient(client);
  }
}

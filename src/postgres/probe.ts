import type { Client } from 'pg';
import { endClient } from './end-client.ts';
import { isServersWord } from './errors.ts';

/**
 * Finds out whether a server still answers anybody: a statement that may take long has no time limit, and a
 * server that is frozen, or gone without a word, would be waited for for ever.
 */
export class Probe {
  /** How long the server may take to answer. */
  readonly timeoutMs: number;
  readonly #connect: () => Client;
  #asking: Promise<boolean> | undefined;

  /** `connect` gives a client that isn't connected, and gives up connecting after `timeoutMs`. */
  constructor(timeoutMs: number, connect: () => Client) {
    this.timeoutMs = timeoutMs;
    this.#connect = connect;
  }

  /** However many ask at a time, the server is asked once. */
  alive(): Promise<boolean> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(): Promise<boolean> {
    const client = this.#connect();
    client.on('error', ignore);
    try {
      await client.connect();
      return true;
    } catch (error) {
      // A refusal, because of too many clients for example, comes from a server that lives.
      return isServersWord(error);
    } finally {
      void endClient(client);
    }
  }
}

function ignore(): void {}

import type { Client } from 'pg';
import { LAST_WORD_MS } from './cancel.ts';

/**
 * Ends a connection of the store's own. The server closes it, and one that doesn't answer any more never would: it
 * is waited for a moment, and then the connection is closed from here, so that it keeps no process alive.
 */
export async function endClient(client: Client): Promise<void> {
  const late = setTimeout(() => client.connection.stream.destroy(), LAST_WORD_MS);
  try {
    await client.end();
  } catch {
    // What is broken already can't be ended, and there is nothing left to end.
  } finally {
    clearTimeout(late);
  }
}

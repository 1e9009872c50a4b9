import type { Client, Connection } from 'pg';

/** How long the server may take for its last word on a statement that was cancelled. */
export const LAST_WORD_MS = 1_000;

/** What the types of `pg` leave out. A client of another kind, such as the native one, has none of it. */
interface Session {
  readonly processID?: number | null;
  readonly secretKey?: number | null;
  readonly ssl?: unknown;
  readonly sslNegotiation?: string;
}

interface Wire extends Connection {
  connect(port: number | string, host?: string): void;
  requestSsl(): void;
  cancel(processID: number, secretKey: number): void;
}

/**
 * Asks the server to cancel what runs in a session: PostgreSQL takes that on a connection of its own, which it
 * closes without an answer. Whether it came in time shows in the session. `messenger`: a client that isn't
 * connected, for the way to the same server.
 */
export function requestCancel(session: Client, messenger: Client): void {
  const { processID, secretKey } = session as Session;
  if (typeof processID !== 'number' || typeof secretKey !== 'number') return;
  const { ssl, sslNegotiation } = messenger as Session;
  const wire = messenger.connection as Wire;
  const send = () => wire.cancel(processID, secretKey);
  const expired = setTimeout(() => wire.stream.destroy(), LAST_WORD_MS);
  wire.on('error', ignore);
  wire.once('end', () => clearTimeout(expired));
  wire.once('sslconnect', send);
  wire.once('connect', () => {
    if (!ssl) send();
    else if (sslNegotiation !== 'direct') wire.requestSsl();
  });
  const { host, port } = messenger;
  if (host.startsWith('/')) wire.connect(`${host}/.s.PGSQL.${port}`);
  else wire.connect(port, host);
}

/** A request that doesn't get through is one that wasn't made: the session shows nothing of it. */
function ignore(): void {}

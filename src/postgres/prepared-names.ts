import type { Client, Connection } from 'pg';

/**
 * The server keeps each of them with its plan, in some ten to some hundred kilobytes, for as long as the connection
 * lives. Commits and what agents are loaded with have some dozens; filters and orders have no end.
 */
export const MAX_PREPARED = 250;

/** What the types of `pg` leave out. A client of another kind, such as the native one, has none of it. */
interface Wire extends Connection {
  /** What `pg` takes for prepared on this connection: texts by name. */
  readonly parsedStatements: Record<string, string>;
  close(statement: { type: 'S'; name: string }): void;
}

/** A session's, for all stores that share it. */
const sessions = new WeakMap<Client, Set<string>>();

/**
 * Makes room for a statement of this name on the client's session, just before it is sent: of too many, the one that
 * was used longest ago is closed. The request for that goes along with the statement and costs no round trip. False
 * where there is no room: it is to be sent without a name.
 */
export function roomForName(client: Client, name: string): boolean {
  const names = namesOn(client);
  if (!names.delete(name) && names.size >= MAX_PREPARED && !closeOldest(client, names)) return false;
  names.add(name);
  return true;
}

/** In the order in which they were used last. */
function namesOn(client: Client): Set<string> {
  let names = sessions.get(client);
  if (!names) {
    names = new Set();
    sessions.set(client, names);
  }
  return names;
}

function closeOldest(client: Client, names: Set<string>): boolean {
  const wire = client.connection as Partial<Wire> | undefined;
  if (!wire?.close || !wire.parsedStatements) return false;
  const [oldest = ''] = names;
  // In one packet with the statement that it makes room for.
  wire.stream?.cork();
  process.nextTick(() => wire.stream?.uncork());
  wire.close({ type: 'S', name: oldest });
  delete wire.parsedStatements[oldest];
  names.delete(oldest);
  return true;
}

import type { ExtendedStore } from '../../../src/store/store.ts';

/** Where a store's data lies: what another process needs to open it. */
export type Place = { kind: 'sqlite'; path: string } | { kind: 'postgres'; url: string; schema: string };

/** Makes empty places, and removes them. */
export interface Ground {
  name: string;
  make(): Promise<Place>;
  remove(place: Place): Promise<void>;
}

/** What an agent has for itself. */
export interface Home {
  place: Place;
  agentId: string;
  /** What its tools have done is seen here. */
  directory: string;
}

/** Loads the one driver that it needs, for processes start often; and dozens of stores share a server. */
export async function openAt(place: Place): Promise<ExtendedStore> {
  if (place.kind === 'sqlite') {
    const { SqliteStore } = await import('../../../src/sqlite/store.ts');
    return new SqliteStore(place.path);
  }
  const { PostgresStore } = await import('../../../src/postgres/store.ts');
  const { url: connectionString, schema } = place;
  return new PostgresStore({ connectionString, max: 1 }, undefined, { schema });
}

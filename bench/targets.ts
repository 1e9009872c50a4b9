import type { Target } from './ground.ts';
import { jsonTarget } from './grounds/json.ts';
import { postgresTarget } from './grounds/postgres.ts';
import { sqliteTarget } from './grounds/sqlite.ts';
import type { BackendName } from './result.ts';

/** In the order in which they are measured. */
export const BACKENDS: readonly BackendName[] = ['sqlite', 'postgres', 'json'];

const OPENERS: Record<BackendName, () => Target | Promise<Target>> = {
  sqlite: sqliteTarget,
  postgres: postgresTarget,
  json: jsonTarget,
};

export async function openTarget(name: BackendName): Promise<Target> {
  return OPENERS[name]();
}

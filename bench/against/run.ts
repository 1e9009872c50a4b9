import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startPostgres } from '../../test/support/postgres-server.ts';
import type { BackendName } from '../result.ts';
import { type Compared, compare, roundsOf, workloadsOn } from './compare.ts';
import { type Installed, install } from './package.ts';
import { Side } from './side.ts';
import { formatCompared } from './table.ts';

const TREE = fileURLToPath(new URL('../..', import.meta.url));
/** As in the other benchmarks: checkpoints don't fall into the middle. */
const SETTINGS = { checkpoint_timeout: '1h', max_wal_size: '8GB' };

export interface AgainstOptions {
  /** A tarball, or a folder. */
  other: string;
  backends: readonly BackendName[];
  /** All of them without any. */
  workloads: readonly string[];
  quick: boolean;
}

/** The built package of this tree and another one, at the same work by turns. Says how many workloads failed. */
export async function runAgainst(options: AgainstOptions): Promise<number> {
  if (!existsSync(join(TREE, 'dist', 'index.js'))) {
    throw new Error('This tree has no built package to compare: run "npm run build" first.');
  }
  const folder = await mkdtemp(join(tmpdir(), 'kode-against-'));
  try {
    const ours = await install(TREE, join(folder, 'ours'), TREE);
    const other = await install(options.other, join(folder, 'other'), TREE);
    console.log(`This tree's ${ours.version} against ${other.version}, ${roundsOf(options.quick)} rounds\n`);
    let failures = 0;
    for (const backend of options.backends) {
      failures += await runBackend(backend, { ours, other }, join(folder, backend), options);
    }
    return failures;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runBackend(
  backend: BackendName,
  packages: { ours: Installed; other: Installed },
  folder: string,
  { workloads, quick }: AgainstOptions,
): Promise<number> {
  const names = workloadsOn(backend, workloads);
  if (names.length === 0) return 0;
  const server =
    backend === 'postgres'
      ? await startPostgres({ major: 18, durable: true, settings: SETTINGS })
      : undefined;
  const start = (side: 'ours' | 'other') =>
    Side.start({
      entry: packages[side].entry,
      backend,
      folder: join(folder, side),
      url: server?.url ?? '',
      schema: `bench_${side}`,
      quick,
    });
  const compared: Compared[] = [];
  let failures = 0;
  try {
    const sides = { ours: await start('ours'), other: await start('other') };
    for (const name of names) {
      try {
        compared.push(await compare(name, backend, sides, quick));
      } catch (error) {
        failures += 1;
        console.error(`${name} failed on ${backend}:`, error);
      }
    }
    await sides.ours.end();
    await sides.other.end();
  } finally {
    await server?.stop();
  }
  console.log(`${formatCompared(compared)}\n`);
  return failures;
}

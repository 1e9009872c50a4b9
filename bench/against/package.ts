import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, stat, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A built package in a folder of its own, with the libraries of this tree: they are the same on both sides. */
export interface Installed {
  /** What its package.json says, for the report. */
  readonly version: string;
  /** The file to import. */
  readonly entry: string;
}

/** `source`: a tarball as `npm pack` makes it, or a folder with a package.json and a built `dist`. */
export async function install(source: string, folder: string, tree: string): Promise<Installed> {
  const from = resolve(source);
  const target = join(folder, 'package');
  await mkdir(folder, { recursive: true });
  if ((await stat(from)).isDirectory()) {
    for (const part of ['package.json', 'dist']) {
      await cp(join(from, part), join(target, part), { recursive: true });
    }
  } else {
    // Tarballs of npm have everything in a folder of this name.
    await run('tar', ['-xzf', from, '-C', folder]);
  }
  await symlink(join(tree, 'node_modules'), join(folder, 'node_modules'), 'junction');
  const { version, exports } = JSON.parse(await readFile(join(target, 'package.json'), 'utf8'));
  return { version, entry: join(target, exports['.'].default) };
}

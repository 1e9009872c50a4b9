import { readFile, symlink } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { afterFile } from './after-file.ts';
import { makeTemporaryDirectory, removeDirectory } from './temporary.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

const known = new Map<string, Promise<string>>();

/**
 * Programs of this repository as JavaScript with all that they import of it, so that their processes begin at
 * once: to load the source through a loader takes each of them a second of the processor. Gives the folder
 * with the bundles, which lie in it as their sources do in the repository. It lasts as long as the file's tests.
 */
export function bundles(...programs: readonly URL[]): Promise<string> {
  const key = programs.map(String).join();
  let made = known.get(key);
  if (!made) {
    made = makeBundles(programs.map((url) => fileURLToPath(url)));
    known.set(key, made);
    const folder = made;
    afterFile(async () => {
      known.delete(key);
      await removeDirectory(await folder);
    });
  }
  return made;
}

/** The bundle of one program. */
export async function bundle(program: URL): Promise<string> {
  return bundleOf(await bundles(program), program);
}

/** Where the bundle of a program lies in its folder. */
export function bundleOf(folder: string, program: URL): string {
  return join(folder, relative(root, fileURLToPath(program)).replace(/\.ts$/, '.mjs'));
}

async function makeBundles(entryPoints: string[]): Promise<string> {
  const folder = await makeTemporaryDirectory();
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
  await build({
    absWorkingDir: root,
    entryPoints,
    outdir: folder,
    outbase: root,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    packages: 'external',
    // Names of functions and classes show in messages.
    keepNames: true,
    plugins: [whereItWas],
    logLevel: 'warning',
  });
  return folder;
}

/** Modules find what lies beside their sources, wherever their bundle is; processes that they start are bundles. */
const whereItWas: Plugin = {
  name: 'where-it-was',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      if (path.includes(`${sep}node_modules${sep}`)) return undefined;
      const source = await readFile(path, 'utf8');
      const contents = source
        .replaceAll(/\bfork\(new URL\(([^()]*)\)/g, (_, place: string) => `fork(${bundleAt(place)}`)
        .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href))
        .replaceAll('import.meta.dirname', JSON.stringify(dirname(path)));
      return { contents, loader: 'ts', resolveDir: dirname(path) };
    });
  },
};

/** For a program that another one names beside itself: its bundle beside the other's. */
function bundleAt(place: string): string {
  const own = place.replaceAll('import.meta.url', "import.meta['url']");
  return `new URL(new URL(${own}).href.replace(/\\.ts$/, '.mjs'))`;
}

// Loaded by `node --import` on another Node.js than the one that installed the packages: those with native code
// come from the folder in TEST_NATIVE_PACKAGES.
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const here = pathToFileURL(join(import.meta.dirname, '..', 'node_modules', 'better-sqlite3')).href;
const there = pathToFileURL(join(process.env.TEST_NATIVE_PACKAGES ?? '', 'better-sqlite3')).href;

registerHooks({
  resolve(specifier, context, nextResolve) {
    const found = nextResolve(specifier, context);
    return found.url.startsWith(`${here}/`) ? { ...found, url: there + found.url.slice(here.length) } : found;
  },
});

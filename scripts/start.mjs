// Shows the command line at work: npm start [-- FILE]. Imports a transcript, then asks about it.
import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { buildIfOutdated, cliPath, root, runNode } from './project.mjs';

// npm runs this in the repository's folder; a path is meant from where the user is.
const userFolder = process.env.INIT_CWD ?? process.cwd();
const [given] = process.argv.slice(2);
const file = given ? resolve(userFolder, given) : join(root, 'examples', 'data', 'transcript.json');
if (!existsSync(file)) {
  console.error(`There is no file ${file}. Usage: npm start [-- FILE]`);
  process.exit(1);
}
await buildIfOutdated();

const env = { ...process.env, KODE_STORE_TYPE: process.env.KODE_STORE_TYPE?.trim() || 'sqlite' };
const commands = [['import', file, '--format', 'openai-chat'], ['sessions'], ['tools'], ['stats']];
for (const args of commands) {
  console.log(`\n$ kode ${args.map((arg) => (arg === file ? relative(userFolder, file) : arg)).join(' ')}`);
  const code = await runNode([cliPath, ...args], { cwd: root, env });
  if (code !== 0) process.exit(code);
}

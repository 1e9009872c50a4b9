// npm start: a tour of the package at work. npm start -- FILE: imports a transcript, and asks about it.
import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { buildIfOutdated, cliPath, root, runNode } from './project.mjs';

// npm runs this in the repository's folder; a path is meant from where the user is.
const userFolder = process.env.INIT_CWD ?? process.cwd();
const [given] = process.argv.slice(2);
const file = given && resolve(userFolder, given);
if (file && !existsSync(file)) {
  console.error(`There is no file ${file}. Usage: npm start [-- FILE]`);
  process.exit(1);
}
await buildIfOutdated();

const env = { ...process.env, KODE_STORE_TYPE: process.env.KODE_STORE_TYPE?.trim() || 'sqlite' };
if (file) {
  for (const args of [['import', file, '--format', 'openai-chat'], ['sessions'], ['tools'], ['stats']]) {
    console.log(
      `\n$ npx kode ${args.map((arg) => (arg === file ? relative(userFolder, file) : arg)).join(' ')}`,
    );
    const code = await runNode([cliPath, ...args], { env });
    if (code !== 0) process.exit(code);
  }
} else {
  const tour = ['--import', import.meta.resolve('tsx'), join(root, 'examples', 'tour.ts')];
  // Through the channel it notices when this process is gone.
  process.exitCode = await runNode(tour, { env, stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
}

import { readFile, writeFile } from 'node:fs/promises';
import net from 'node:net';

// Imports samples one after the other, each in its own folder, and writes down which of them failed.

const LIMIT_MS = 30_000;
const [plan = '', results = ''] = process.argv.slice(2);
const samples = JSON.parse(await readFile(plan, 'utf8')) as {
  name: string;
  folder: string;
  file: string;
  env: Record<string, string>;
}[];

redirectDefaultPort(Number(process.env.SAMPLES_POSTGRES_PORT));

const failures: Record<string, string> = {};
let strayed: (error: unknown) => void = () => undefined;
process.on('unhandledRejection', (error) => strayed(error));
process.on('uncaughtException', (error) => strayed(error));

const original = { ...process.env };
for (const { name, folder, file, env } of samples) {
  process.chdir(folder);
  Object.assign(process.env, env);
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<unknown>((resolve, reject) => {
      strayed = reject;
      timer = setTimeout(() => reject(new Error(`It didn't end within ${LIMIT_MS} ms`)), LIMIT_MS);
      import(file).then(resolve, reject);
    });
  } catch (error) {
    failures[name] = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  clearTimeout(timer);
  for (const key of Object.keys(env)) delete process.env[key];
  Object.assign(process.env, original);
}
await writeFile(results, JSON.stringify(failures));
// Samples open stores and leave them open, as pages do that show one thing at a time.
process.exit(0);

/**
 * Samples name PostgreSQL's own port, and the tests' server listens on a free one: connections to 5432 go
 * there. Host, user, password and database are the samples' own.
 */
function redirectDefaultPort(port: number): void {
  const connect = net.Socket.prototype.connect as (this: net.Socket, ...args: unknown[]) => net.Socket;
  net.Socket.prototype.connect = function (this: net.Socket, ...args: unknown[]) {
    return connect.apply(this, args[0] === 5432 ? [port, '127.0.0.1', ...args.slice(2)] : args);
  } as typeof net.Socket.prototype.connect;
}

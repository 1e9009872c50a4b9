import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';

const ORDERS = [
  ['1041', 'Ada Pike, 3 Harbour Row, Hull', 'two lighthouse prints'],
  ['1042', 'Bo Lind, 17 Mill Lane, York', 'one map of the moors'],
  ['1043', 'Cleo Hart, 8 Quay Street, Whitby', 'one print of the abbey, paid 18.50'],
  ['1044', 'Dev Rao, 29 Station Road, Leeds', 'three bird prints'],
  ['1045', 'Eve Moss, 5 Church Hill, Ripon', 'one star chart'],
] as const;

export const ORDER_NUMBERS = ORDERS.map(([number]) => Number(number));

/** The shop's files, as real files: each agent has a folder of its own. */
export function folderOf(agentId: string): string {
  return resolve('data', 'tour', agentId);
}

export async function fillFolder(agentId: string): Promise<void> {
  for (const [number, address, what] of ORDERS) {
    await writeInside(agentId, `orders/${number}.txt`, `Order ${number}: ${what}\nTo: ${address}\n`);
  }
  const letter = 'The print of order 1043 came torn. I paid 18.50, please pay it back. Cleo Hart\n';
  await writeInside(agentId, 'letters/1043.txt', letter);
}

/** The path of a file in the agent's folder. The model writes these paths: none may lead out of it. */
export function inside(agentId: string, path: string): string {
  const folder = folderOf(agentId);
  const full = resolve(folder, path);
  if (full !== folder && !full.startsWith(folder + sep))
    throw new Error(`${path} isn't in the shop's folder`);
  return full;
}

export async function writeInside(agentId: string, path: string, content: string): Promise<void> {
  const full = inside(agentId, path);
  await mkdir(dirname(full), { recursive: true });
  await writeFile(full, content);
}

/** The file's text, or undefined when there is no such file. */
export async function readInside(agentId: string, path: string): Promise<string | undefined> {
  return readFile(inside(agentId, path), 'utf8').catch(() => undefined);
}

export async function listInside(agentId: string, path: string): Promise<string[]> {
  const full = inside(agentId, path);
  const entries = await readdir(full, { withFileTypes: true });
  return entries
    .map((entry) => relative(folderOf(agentId), join(full, entry.name)) + (entry.isDirectory() ? sep : ''))
    .map((name) => name.replaceAll(sep, '/'))
    .sort();
}

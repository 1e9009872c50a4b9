import { join } from 'node:path';
import type { AgentDocument } from '../model/agent.ts';
import { parseJson } from '../model/stored-json.ts';
import type { Disk } from './disk.ts';
import { damaged, frame, missing, unframe } from './lines.ts';
import type { Paths } from './paths.ts';
import type { AgentState, HeldDocument } from './state.ts';

/**
 * Contents of documents are files of their own: they may be large, and the one that is replaced gives its
 * space back at once. The entry that names a document makes its file count.
 */
const FOLDER = 'documents';

/** Where files are written and read, and by way of which folders. */
interface Folder {
  readonly disk: Disk;
  readonly paths: Paths;
}

function fileOf(directory: string, n: number): string {
  return join(directory, FOLDER, `${n}.json`);
}

/** Written whole before the entry that names it. `content` is JSON text. */
export async function writeDocument(
  { disk, paths }: Folder,
  { directory, n, key }: { directory: string; n: number; key: string },
  { kind, name, content }: { kind: string; name: string; content: string },
): Promise<void> {
  const folder = join(directory, FOLDER);
  if (await disk.makeDirectory(folder)) await disk.syncDirectory(directory);
  const made = join(paths.temporary, `${key}-${n}.json`);
  const about = JSON.stringify({ kind, name }).slice(0, -1);
  await disk.writeWhole(made, frame(`${about},"content":${content}}`).bytes);
  await disk.rename(made, fileOf(directory, n));
  await disk.syncDirectory(folder);
}

export async function readDocument(
  disk: Disk,
  directory: string,
  held: HeldDocument,
): Promise<AgentDocument> {
  const path = fileOf(directory, held.n);
  const bytes = await disk.read(path);
  if (!bytes) throw missing(path);
  const line = unframe(bytes);
  if (!line) throw damaged(path, 0);
  const { content } = parseJson(line.text, `document "${held.name}"`) as { content: unknown };
  const { kind, name, createdAt, updatedAt } = held;
  return { kind, name, content, createdAt: new Date(createdAt), updatedAt: new Date(updatedAt) };
}

/** A file that can't be removed now is a stray one when the agent is next written to after another opening. */
export async function removeDocument({ disk, paths }: Folder, directory: string, n: number): Promise<void> {
  await disk.discard(fileOf(directory, n), paths.trash).catch(() => undefined);
}

/** Files that a crash left behind before their entry was written, or after it was replaced. */
export async function removeStrayDocuments(
  folder: Folder,
  { directory, state }: { directory: string; state: AgentState },
): Promise<void> {
  const used = new Set([...state.documents.values()].map(({ n }) => `${n}.json`));
  for (const name of (await folder.disk.namesIn(join(directory, FOLDER))) ?? []) {
    if (/^\d+\.json$/.test(name) && !used.has(name))
      await removeDocument(folder, directory, Number.parseInt(name, 10));
  }
}

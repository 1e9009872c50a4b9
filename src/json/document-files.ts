import { mkdir, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentDocument } from '../model/agent.ts';
import { parseJson } from '../model/stored-json.ts';
import { errorCode, namesIn, syncDirectory, writeWhole } from './files.ts';
import { damaged, frame, unframe } from './lines.ts';
import type { AgentState, HeldDocument } from './state.ts';

/**
 * Contents of documents are files of their own: they may be large, and the one that is replaced gives its
 * space back at once. The entry that names a document makes its file count.
 */
const FOLDER = 'documents';

function fileOf(directory: string, n: number): string {
  return join(directory, FOLDER, `${n}.json`);
}

/** Written whole before the entry that names it. `content` is JSON text. */
export async function writeDocument(
  directory: string,
  n: number,
  { kind, name, content }: { kind: string; name: string; content: string },
): Promise<void> {
  const folder = join(directory, FOLDER);
  const isNew = (await mkdir(folder, { recursive: true })) !== undefined;
  if (isNew) await syncDirectory(directory);
  const about = JSON.stringify({ kind, name }).slice(0, -1);
  await writeWhole(fileOf(directory, n), frame(`${about},"content":${content}}`));
  await syncDirectory(folder);
}

export async function readDocument(directory: string, held: HeldDocument): Promise<AgentDocument> {
  const path = fileOf(directory, held.n);
  let text: string | undefined;
  try {
    text = unframe(await readFile(path));
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
  if (text === undefined) throw damaged(path, 0);
  const { content } = parseJson(text, `document "${held.name}"`) as { content: unknown };
  const { kind, name, createdAt, updatedAt } = held;
  return { kind, name, content, createdAt: new Date(createdAt), updatedAt: new Date(updatedAt) };
}

/** A file that can't be removed now is a stray one when the agent is opened again. */
export async function removeDocument(directory: string, n: number): Promise<void> {
  await unlink(fileOf(directory, n)).catch(() => undefined);
}

/** Files that a crash left behind before their entry was written, or after it was replaced. */
export async function removeStrayDocuments(directory: string, state: AgentState): Promise<void> {
  const used = new Set([...state.documents.values()].map(({ n }) => `${n}.json`));
  for (const name of await namesIn(join(directory, FOLDER))) {
    if (/^\d+\.json$/.test(name) && !used.has(name))
      await removeDocument(directory, Number.parseInt(name, 10));
  }
}

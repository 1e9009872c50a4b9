import { join } from 'node:path';
import type { Delta } from '../model/agent.ts';
import type { Disk } from './disk.ts';
import { Fields } from './fields.ts';
import { damaged, frame, unframe } from './lines.ts';

const FILE = 'delta.json';

/**
 * Overwrites the agent's piece of streamed text. Nothing waits for the disk here: a power cut may take it,
 * as the end of its step does. `step` is the entry that the text follows; `delta` is JSON text.
 */
export async function writeDelta(disk: Disk, directory: string, step: number, delta: string): Promise<void> {
  const made = join(directory, `${FILE}.new`);
  await disk.writeUnsynced(made, frame(`{"step":${step},"delta":${delta}}`).bytes);
  await disk.rename(made, join(directory, FILE));
}

/** Undefined when there is none, or when its step was committed. */
export async function readDelta(disk: Disk, directory: string, step: number): Promise<Delta | undefined> {
  const path = join(directory, FILE);
  const bytes = await disk.read(path);
  if (!bytes) return undefined;
  const line = unframe(bytes);
  if (!line) {
    // Cut off, or never reached the disk before the power went.
    if (bytes.at(-1) !== 10) return undefined;
    throw damaged(path, 0);
  }
  const fields = new Fields(JSON.parse(line.text), 'delta');
  return fields.count('step') === step ? (fields.value('delta') as Delta) : undefined;
}

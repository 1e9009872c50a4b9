import { setTimeout } from 'node:timers/promises';
import { StoreUnavailableError } from '../../src/errors.ts';
import type { Store } from '../../src/store/store.ts';
import { user } from '../../src/testing/samples.ts';
import { startChild } from '../support/child.ts';
import { checkAcknowledged, checkWhole } from './checks.ts';
import { type AnyPlace, openAnywhere } from './place.ts';
import type { Said } from './said.ts';

const writer = new URL('./writer.child.ts', import.meta.url);
/** A server that was killed recovers meanwhile. */
const PATIENCE_MS = 60_000;

export interface Kill {
  place: AnyPlace;
  /** Of the ids of all that is written. */
  prefix: string;
  /** How much the writer says before, and how long it works on then. */
  after: { said: number; ms: number };
  /** Kills something of the server in place of the writer, which ends then by itself. */
  instead?: (() => Promise<void>) | undefined;
}

/** Lets a process write, and kills it in the midst of it. Resolves to all that it said. */
export async function killWriter({ place, prefix, after, instead }: Kill): Promise<Said[]> {
  const child = startChild(writer, { args: [JSON.stringify(place), prefix] });
  const lines: string[] = [];
  try {
    for (let line = await child.line(); line !== undefined; line = await child.line()) {
      lines.push(line);
      if (lines.length >= after.said) break;
    }
    await setTimeout(after.ms);
    if (instead) await instead();
    else await child.kill();
    lines.push(...(await child.rest()));
  } finally {
    await child.kill();
  }
  return lines.map((line) => JSON.parse(line) as Said);
}

/** One kill, and all that must hold after it. Resolves to how many acknowledged writes were looked for. */
export async function surviveKill(kill: Kill): Promise<number> {
  const said = await killWriter(kill);
  const store = await openPatiently(kill.place);
  try {
    const refused = said.find(({ done }) => done === 'failed');
    if (refused && !kill.instead) throw new Error(`the store refused a writer: ${JSON.stringify(refused)}`);
    const acknowledged = await checkAcknowledged(store, said);
    await checkWhole(store);
    // Every agent can be worked with and deleted.
    for (const id of await store.list()) {
      await store.appendMessages(id, [user('on')]);
      await store.delete(id);
    }
    await checkWhole(store);
    return acknowledged;
  } finally {
    await store.close();
  }
}

async function openPatiently(place: AnyPlace): Promise<Store> {
  for (const deadline = Date.now() + PATIENCE_MS; ; ) {
    const store = await openAnywhere(place);
    try {
      await store.list();
      return store;
    } catch (error) {
      await store.close();
      if (!(error instanceof StoreUnavailableError) || Date.now() > deadline) throw error;
    }
    await setTimeout(50);
  }
}

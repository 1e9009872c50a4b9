import { expect } from 'vitest';
import { until } from '../../../src/testing/timing.ts';
import { type Child, startChild } from '../../support/child.ts';
import type { TestProvider } from '../provider/provider.ts';
import { deltasOf, type Hang, script } from './answers.ts';
import { expectComplete, statesOf } from './checks.ts';
import { all } from './failures.ts';
import { gate } from './gate.ts';
import { withHomes, withProviders, withStore } from './home.ts';
import { FINAL, goOn, WAYS, type Way } from './life.ts';
import type { Ground, Home } from './place.ts';
import type { LifePlan, Stop } from './writer.child.ts';

/** Where a life is cut off: at a place in it, or while the model's answer streams. */
export interface Cell {
  name: string;
  stop?: Stop;
  hang?: Hang;
}

/** A cell of the matrix with all that it needs. */
export interface Scene extends Cell {
  home: Home;
  provider: TestProvider;
  /** How somebody goes on with it. */
  way: Way;
}

const PATIENCE_MS = 60_000;

/** Processes that live at a time. The dead ones' leases are waited for side by side. */
const alive = gate(2);

const writer = new URL('./writer.child.ts', import.meta.url);

/** A process that lives these lives. */
function startWriter(plans: readonly LifePlan[]): Child {
  return startChild(writer, { args: [JSON.stringify(plans)] });
}

/** Lets a process live these lives to their ends. Returns the names of the writes of each. */
export function liveOn(plans: readonly LifePlan[]): Promise<string[][]> {
  return alive(async () => {
    const lines = await startWriter(plans).rest();
    return lines.map((line) => JSON.parse(line.replace(/^lived /, '')) as string[]);
  });
}

/** Each cell is begun in one process with the others, cut off where it says, and gone on with in this one. */
export function expectCells(ground: Ground, cells: readonly Cell[]): Promise<void> {
  return withScenes(ground, cells, async (scenes) => {
    await liveAndDie(scenes, false);
    await all(scenes, expectRest);
  });
}

/** The names of the writes of a life that nobody cuts off. */
export function namesOfWrites(ground: Ground): Promise<string[]> {
  const uncut = WAYS.map((way) => ({ name: `a life, then ${way}` }));
  return withScenes(ground, uncut, async (scenes) => {
    const lives = await liveOn(scenes.map((scene) => planOf(scene, false)));
    expect(lives.map(({ length }) => length)).toEqual(WAYS.map(() => lives[0]?.length));
    await all(scenes, expectRest);
    return lives[0] ?? [];
  });
}

/** Homes and providers for the cells, as long as the work takes. */
export function withScenes<T>(
  ground: Ground,
  cells: readonly Cell[],
  work: (scenes: Scene[]) => Promise<T>,
): Promise<T> {
  return withHomes(ground, cells.length, (homes) => withScenesAt(homes, cells, work));
}

export function withScenesAt<T>(
  homes: readonly Home[],
  cells: readonly Cell[],
  work: (scenes: Scene[]) => Promise<T>,
): Promise<T> {
  const scripts = cells.map(({ hang }) => script(hang));
  return withProviders(scripts, (providers) =>
    work(
      cells.flatMap((cell, i) => {
        const [home, provider, way] = [homes[i], providers[i], WAYS[i % WAYS.length]];
        return home && provider && way ? [{ ...cell, home, provider, way }] : [];
      }),
    ),
  );
}

/** Kills a process when each of its lives has come to where it is to be cut off. */
export function liveAndDie(scenes: readonly Scene[], rest: boolean): Promise<void> {
  return alive(async () => {
    const child = startWriter(scenes.map((scene) => planOf(scene, rest)));
    for (const { stop } of scenes) if (stop) expect(await child.line()).toBe('stopped');
    await Promise.all(scenes.map(untilSeen));
    await child.kill();
    expect(await child.rest()).toEqual([]);
  });
}

function planOf({ home, provider, way, stop }: Scene, rest: boolean): LifePlan {
  return { home, providerUrl: provider.url, way, rest, stop };
}

/** Waits until others see all of the answer that has been sent. */
async function untilSeen({ home, provider, hang }: Scene): Promise<void> {
  if (hang === undefined) return;
  await provider.arrived(hang.step);
  const sent = deltasOf(hang.step).slice(0, hang.deltas).join('');
  await withStore(home.place, (store) =>
    until(
      async () => {
        const deltas = (await store.loadDelta(home.agentId)) as { parts: { text: string }[] }[];
        const parts = deltas.flatMap((delta) => delta.parts);
        return parts.map(({ text }) => text).join('') === sent;
      },
      `the text that was sent: ${sent}`,
      PATIENCE_MS,
    ),
  );
}

/** What is left of a life, when its process has died, is lived here, and then it is complete. */
export function expectRest({ home, provider, way }: Scene): Promise<void> {
  return withStore(home.place, async (store) => {
    const found = await statesOf(store, home.agentId);
    const result = await goOn({ ...home, store, model: provider.model, way });
    expect(result).toMatchObject({ status: 'completed', text: FINAL });
    await expectComplete({ ...home, store, requests: provider.requests, found });
  });
}

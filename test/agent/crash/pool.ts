import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { ExtendedStore } from '../../../src/store/store.ts';
import { pause, until } from '../../../src/testing/timing.ts';
import { type Child, startChild } from '../../support/child.ts';
import type { Script, TestProvider } from '../provider/provider.ts';
import { answerTo, script } from './answers.ts';
import { expectComplete } from './checks.ts';
import { withHomes, withProviders, withStore } from './home.ts';
import { INPUT } from './life.ts';
import type { Ground, Home } from './place.ts';
import type { WorkerPlan } from './worker.child.ts';

const AGENTS = ['a', 'b', 'c', 'd', 'e', 'f'];
const HANDS = 3;
const worker = new URL('./worker.child.ts', import.meta.url);

/**
 * A pool of workers gets through some of what there is to do, and is killed with its hands full. Two others
 * take over what it held when its leases have run out, and what it hadn't come to.
 */
export function expectPoolTakesOver(ground: Ground): Promise<void> {
  const { script: hanging, hangs } = hangingScript();
  return withHomes(ground, 1, ([home]) =>
    withProviders([hanging, script()], ([first, second]) => {
      if (!home || !first || !second) throw new Error('Something is missing.');
      return withStore(home.place, (store) => takeOver(home, store, [first, second], hangs));
    }),
  );
}

async function takeOver(
  { place, directory }: Home,
  store: ExtendedStore,
  [first, second]: [TestProvider, TestProvider],
  hangs: () => number,
): Promise<void> {
  const directories = Object.fromEntries(AGENTS.map((id) => [id, join(directory, id)]));
  for (const agentId of AGENTS) {
    await mkdir(join(directory, agentId));
    await leaveInput(store, agentId);
  }
  const workAt = ({ url: providerUrl }: TestProvider) => {
    const plan: WorkerPlan = { place, providerUrl, hands: HANDS, directories };
    return follow(startChild(worker, { args: [JSON.stringify(plan)] }));
  };

  const pool = workAt(first);
  await until(() => decideAll(store).then(() => hangs() === HANDS), 'its hands are full', 60_000);
  await pool.kill();
  const done = completed(pool.lines);
  expect(done).toHaveLength(2);

  const others = [workAt(second), workAt(second)];
  const all = () => [...done, ...others.flatMap(({ lines }) => completed(lines))];
  await until(() => decideAll(store).then(() => all().length >= AGENTS.length), 'all is done', 60_000);
  for (const other of others) await other.kill();
  expect(all().sort()).toEqual(AGENTS);
  expect(await store.claimResumable({ limit: 10 })).toEqual([]);
  const requests = [...first.requests, ...second.requests];
  for (const [agentId, own] of Object.entries(directories)) {
    await expectComplete({ store, agentId, directory: own, requests, found: [] });
  }
}

/** What a process leaves that has taken an input, and has come no further. */
async function leaveInput(store: ExtendedStore, agentId: string): Promise<void> {
  await store.commit(agentId, { info: { templateId: 'writer' }, expectedVersion: 0 });
  await store.commit(agentId, {
    messages: [{ role: 'user', content: [{ type: 'text', text: INPUT }] }],
    info: { status: 'running' },
  });
}

/** Answers so much that two agents are done; then its answers stop in the middle. */
function hangingScript(): { script: Script; hangs(): number } {
  const left = { 0: 4, 1: 2 };
  let hanging = 0;
  return {
    hangs: () => hanging,
    script(request) {
      const { step, answer } = answerTo(request);
      left[step] -= 1;
      if (left[step] >= 0) return answer;
      hanging += 1;
      return { ...answer, hangAfter: 1 };
    },
  };
}

/** Allows whatever asks. */
async function decideAll(store: ExtendedStore): Promise<void> {
  for (const { agentId, toolCallId } of await store.queryToolCalls({ state: 'approval_required' })) {
    await store.decideApproval(agentId, toolCallId, { decision: 'allow', by: 'ana' });
  }
  await pause(50);
}

/** Gathers what a child prints. */
function follow(child: Child): { lines: string[]; kill(): Promise<void> } {
  const lines: string[] = [];
  const reading = (async () => {
    for (let line = await child.line(); line !== undefined; line = await child.line()) lines.push(line);
  })();
  return {
    lines,
    async kill() {
      await child.kill();
      await reading;
    },
  };
}

function completed(lines: string[]): string[] {
  return lines.filter((line) => line.endsWith(' completed')).map((line) => line.split(' ')[0] ?? '');
}

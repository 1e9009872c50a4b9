import { createAnthropic } from '@ai-sdk/anthropic';
import type { ExtendedStore } from '../../../src/store/store.ts';
import { goOn, live, type ToolName, type Way } from './life.ts';
import { type Home, openAt } from './place.ts';
import { watchWrites } from './writes.ts';

/** Where a life stops: nothing more of it reaches the store, and the process only waits to be killed. */
export type Stop =
  | { when: 'before' | 'after'; write: number }
  /** When all of these tools have taken effect; none of them returns. */
  | { effects: readonly ToolName[] };

/** A life for the child to live. Each has a store of its own, and shares nothing with the others. */
export interface LifePlan {
  home: Home;
  providerUrl: string;
  way: Way;
  /** Whether it has begun before, in another process. */
  rest?: boolean;
  stop?: Stop | undefined;
}

function forever(): Promise<never> {
  return new Promise(() => undefined);
}

async function lead(
  { home, providerUrl, way, rest = false, stop }: LifePlan,
  opened: ExtendedStore,
): Promise<void> {
  const names: string[] = [];
  let stopped = false;
  const halt = (): Promise<never> => {
    if (!stopped) console.log('stopped');
    stopped = true;
    return forever();
  };
  const store = watchWrites(opened, ({ when, number, name }) => {
    if (when === 'before') names.push(name);
    const here = stop && 'write' in stop && stop.write === number && stop.when === when;
    return stopped || here ? halt() : undefined;
  });
  const awaited = new Set(stop && 'effects' in stop ? stop.effects : []);
  const onEffect = (tool: ToolName) => {
    if (!awaited.delete(tool)) return undefined;
    return awaited.size === 0 ? halt() : forever();
  };
  const model = createAnthropic({ baseURL: `${providerUrl}/v1`, apiKey: 'test-key' })('claude-sonnet-4-5');
  await (rest ? goOn : live)({ ...home, store, model, way, onEffect });
  await store.close();
  console.log(`lived ${JSON.stringify(names)}`);
}

const plans: LifePlan[] = JSON.parse(process.argv[2] ?? '');
// A life that waits for ever doesn't keep the process alive.
const awake = setInterval(() => undefined, 1_000);
// Empty places are prepared first: that takes so long that a lease could run out meanwhile.
const stores = await Promise.all(
  plans.map(async (plan) => {
    const store = await openAt(plan.home.place);
    await store.list();
    return { plan, store };
  }),
);
await Promise.all(stores.map(({ plan, store }) => lead(plan, store)));
clearInterval(awake);

import type { Store } from '../../src/store/store.ts';
import { against, atMost } from '../result.ts';
import { type Bounds, METADATA, type Workload } from '../workload.ts';

const BOUNDS: Bounds = { sqlite: atMost(1.35), postgres: atMost(1.6) };
const AGENTS = 50;

/** What the indexes, the rows' own columns and half-filled pages cost on top of the data. */
export const disk: Workload = {
  name: 'disk',
  title: 'Bytes on disk with all indexes and events, against the JSON of the same data',
  backends: ['sqlite', 'postgres', 'json'],
  async *run(bench) {
    const ground = await bench.open();
    const agents = bench.size(AGENTS, 2);
    const ids = Array.from({ length: agents }, (_, i) => `agent-${i}`);
    for (const id of ids) await ground.store.saveInfo(id, { userId: 'user-1', metadata: METADATA });
    let messages = 0;
    let given = 0;
    while (messages < bench.size(5_000, 100)) {
      for (const id of ids) {
        const turn = bench.turns.next();
        messages += turn.messages.length;
        given += Buffer.byteLength(JSON.stringify(turn));
        await ground.store.commit(id, turn);
      }
    }
    const size = await ground.inspect.size();
    let stored = 0;
    for (const id of ids) stored += await jsonOf(ground.store, id);
    const what = `${messages} messages of ${agents} agents`;
    yield against(what, size, { name: 'JSON as loaded', value: stored }, BOUNDS[bench.backend]);
    yield against(what, size, { name: 'JSON as committed', value: given });
  },
};

async function jsonOf(store: Store, agentId: string): Promise<number> {
  const events = [];
  for await (const event of store.readEvents(agentId)) events.push(event);
  return Buffer.byteLength(JSON.stringify({ ...(await store.loadAgent(agentId)), events }));
}

import { atMost, counted, exactly } from '../result.ts';
import { build, type Workload } from '../workload.ts';

/** One consistent moment, and no more requests than that needs. */
export const loadAgent: Workload = {
  name: 'load-agent',
  title: 'loadAgent: info, messages, tool calls and to-dos at one moment',
  backends: ['sqlite', 'postgres'],
  async *run(bench) {
    const ground = await bench.open({ counted: true });
    await build(ground, 'agent', bench.turns, bench.size(1_000, 50));
    await ground.store.saveTodos('agent', { todos: [{ title: 'book the flight', status: 'open' }] });
    const { inspect, store } = ground;
    await store.loadAgent('agent');
    const before = inspect.requests();
    await store.loadAgent('agent');
    const requests = inspect.requests() - before;
    if (bench.backend === 'postgres') yield counted('round trips', requests, atMost(2));
    else yield counted('read transactions', requests, exactly(1));
  },
};

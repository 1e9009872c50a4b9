import type { TurnCommit } from '../../../src/model/agent.ts';
import type { Store } from '../../../src/store/store.ts';

/** What brings something into the store. Deltas don't count: they are as many as the clock will have. */
const WRITES = new Set(['commit', 'acquireAgentLock', 'decideApproval', 'appendEvent']);

export interface Write {
  /** Right before it reaches the store, or right after it has returned. */
  when: 'before' | 'after';
  /** From 1 on, in the order in which writes begin. */
  number: number;
  name: string;
}

/** The store, with somebody asked at both ends of each write; a write goes on when the answer has come. */
export function watchWrites<S extends Store>(
  store: S,
  watch: (write: Write) => Promise<void> | undefined,
): S {
  let count = 0;
  return new Proxy(store, {
    get(target, key) {
      const method: unknown = Reflect.get(target, key, target);
      if (typeof method !== 'function') return method;
      if (typeof key !== 'string' || !WRITES.has(key)) return method.bind(target);
      return async (...args: unknown[]) => {
        count += 1;
        const number = count;
        const name = key === 'commit' ? `commit of ${contentsOf(args[1] as TurnCommit)}` : key;
        await watch({ when: 'before', number, name });
        const result: unknown = await method.apply(target, args);
        await watch({ when: 'after', number, name });
        return result;
      };
    },
  });
}

function contentsOf({ info, toolCalls = [], messages = [], events = [] }: TurnCommit): string {
  const said = [
    ...messages.map(({ role }) => `${role} message`),
    ...toolCalls.map(({ callSeq, state }) => `call ${callSeq} ${state}`),
    ...(info === undefined ? [] : [info.status ?? 'a new agent']),
  ];
  return said.join(', ') || events.map(({ type }) => type).join(', ');
}

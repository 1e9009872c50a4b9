import type { Message } from '../model/message.ts';
import type { Store } from '../store/store.ts';
import { conversation, createAgent } from './samples.ts';
import { randomNumbers } from './workload.ts';

interface Agent {
  messages: Message[];
  snapshots: Map<string, Message[]>;
}

export interface RandomHistory {
  /** One operation on a random agent, of the store and of the model alike. */
  step(store: Store): Promise<void>;
  conversations(): Record<string, Message[]>;
  /** Agent, id and messages of each snapshot. */
  snapshots(): [string, string, Message[]][];
}

/** Creates, appends, rewrites, forks, snapshots and deletes at random; the same seed does the same. */
export function randomHistory(seed: number): RandomHistory {
  const agents = new Map<string, Agent>();
  const below = randomNumbers(seed);
  let step = 0;

  function pick<T>(items: T[]): T | undefined {
    return items[below(items.length)];
  }

  function fresh(): Message[] {
    return conversation(1 + below(4), `step ${step} `);
  }

  async function create(store: Store): Promise<void> {
    const id = `agent ${below(12)}`;
    if (agents.has(id)) return;
    const messages = fresh();
    await createAgent(store, id, messages);
    agents.set(id, { messages, snapshots: new Map() });
  }

  async function fork(store: Store, id: string, { messages, snapshots }: Agent): Promise<void> {
    const agentId = `agent ${below(12)}`;
    if (agents.has(agentId)) return;
    const snapshot = pick([...snapshots]);
    const from = snapshot && below(2) === 0 ? snapshot : undefined;
    const at = from ? from[0] : below(messages.length + 1);
    await store.fork(id, { at, agentId });
    const inherited = from ? from[1] : messages.slice(0, Number(at));
    agents.set(agentId, { messages: inherited, snapshots: new Map() });
  }

  async function snapshot(store: Store, id: string, { messages, snapshots }: Agent): Promise<void> {
    const name = `snapshot ${below(3)}`;
    const kept = below(4) === 0 ? fresh() : messages.slice(0, below(messages.length + 1));
    await store.saveSnapshot(id, { id: name, messages: kept });
    snapshots.set(name, kept);
  }

  return {
    async step(store) {
      step += 1;
      const found = pick([...agents]);
      if (!found) return create(store);
      const [id, agent] = found;
      const action = below(100);
      if (action < 10) return create(store);
      if (action < 30) return fork(store, id, agent);
      if (action < 45) return snapshot(store, id, agent);
      if (action < 57) {
        await store.delete(id);
        agents.delete(id);
        return;
      }
      if (action < 75) {
        const added = fresh();
        await store.appendMessages(id, added);
        agent.messages = [...agent.messages, ...added];
        return;
      }
      const rewritten = [...agent.messages.slice(0, below(agent.messages.length + 1)), ...fresh()];
      await store.saveMessages(id, rewritten);
      agent.messages = rewritten;
    },
    conversations: () => Object.fromEntries([...agents].map(([id, { messages }]) => [id, messages])),
    snapshots: () =>
      [...agents].flatMap(([id, { snapshots }]) =>
        [...snapshots].map(([name, messages]): [string, string, Message[]] => [id, name, messages]),
      ),
  };
}

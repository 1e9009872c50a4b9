import type { Message } from '../../src/model/message.ts';
import type { Store } from '../../src/store/store.ts';
import { sqliteTarget } from '../grounds/sqlite.ts';
import { interleave, type Side, timed } from '../measure.ts';
import { atMost } from '../result.ts';
import { type Bounds, METADATA, type Workload } from '../workload.ts';

const BOUNDS: Bounds = { postgres: atMost(3) };
const MEGABYTE = 2 ** 20;
/** Of one commit: several rows of a table go to PostgreSQL in another way than a single one. */
const MESSAGES = 4;
/** As a tool prints it: JSON escapes every second character of it. */
const LINE = '{"a": "b",\n"c": "\\d"}\n';

/** SQLite works in this thread. With a server, the thread is to be at least about as free. */
export const largeTexts: Workload = {
  name: 'large-texts',
  title: 'How long large messages hold up a process, against JSON alone and, on PostgreSQL, against SQLite',
  backends: ['sqlite', 'postgres', 'json'],
  async *run(bench) {
    const { store } = await bench.open({ durability: 'normal' });
    const sqlite =
      bench.backend === 'postgres' ? await sqliteTarget().open({ durability: 'normal' }) : undefined;
    try {
      for (const megabytes of bench.quick ? [0.1] : [0.1, 4, 16]) {
        const messages = messagesOf(megabytes * MEGABYTE);
        const [ours, reference] = [sidesOf(store, messages), sidesOf(sqlite?.store, messages)];
        const effort = bench.effort(megabytes < 1 ? 60 : 10);
        const compared = { to: sqlite ? 'SQLite' : 'JSON', bound: BOUNDS[bench.backend] };
        const committing = await interleave(ours.commit, reference.commit, effort, 'blocked');
        yield timed({ what: `commit of ${megabytes} MB`, ...compared }, committing);
        const loading = await interleave(ours.load, reference.load, effort, 'blocked');
        yield timed({ what: `loading ${megabytes} MB`, ...compared }, loading);
      }
    } finally {
      await sqlite?.close();
    }
  },
};

/** Without a store: the least that must be done. */
function sidesOf(store: Store | undefined, messages: Message[]): { commit: Side; load: Side } {
  if (!store) {
    const texts = messages.map((message) => JSON.stringify(message));
    return {
      commit: { run: () => messages.map((message) => JSON.stringify(message)) },
      load: { run: () => texts.map((text) => JSON.parse(text)) },
    };
  }
  return {
    commit: {
      before: async () => {
        await store.delete('agent');
        await store.saveInfo('agent', { metadata: METADATA });
      },
      run: () => store.appendMessages('agent', messages),
    },
    load: { run: () => store.loadMessages('agent') },
  };
}

function messagesOf(bytes: number): Message[] {
  const text = LINE.repeat(Math.ceil(bytes / MESSAGES / JSON.stringify(LINE).length));
  return Array.from({ length: MESSAGES }, (_, n) => {
    return { role: n % 2 === 0 ? 'user' : 'assistant', content: [{ type: 'text', text }] };
  });
}

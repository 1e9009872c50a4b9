import type { Message } from '../../src/model/message.ts';
import { interleave, summarise, timed } from '../measure.ts';
import { against, atMost, type BackendName, counted, exactly, type Measurement } from '../result.ts';
import { type Bench, build, type Workload } from '../workload.ts';

const TABLE: Partial<Record<BackendName, string>> = {
  sqlite: 'kode_data_messages',
  postgres: 'kode_data_messages',
};

/** Saving the whole conversation must write what is new in it. */
export const saveMessages: Workload = {
  name: 'save-messages',
  title: 'saveMessages of a whole conversation with one new message, against appendMessages of that one',
  backends: ['sqlite', 'postgres'],
  async *run(bench) {
    yield await bytesWritten(bench);
    yield await rowsWritten(bench);
    yield await time(bench);
  },
};

async function bytesWritten(bench: Bench): Promise<Measurement> {
  const ground = await bench.open();
  const length = bench.size(10_000, 200);
  for (const agentId of ['whole', 'append']) await build(ground, agentId, bench.turns, length);
  const whole = await ground.store.loadMessages('whole');
  const bytes = { whole: [] as number[], append: [] as number[] };
  await ground.inspect.logged();
  for (let i = 0; i < bench.size(40, 4); i += 1) {
    const message = messageOf(bench);
    whole.push(message);
    bytes.whole.push(await loggedBy(ground, () => ground.store.saveMessages('whole', whole)));
    bytes.append.push(await loggedBy(ground, () => ground.store.appendMessages('append', [message])));
  }
  const { median: value } = summarise(bytes.append);
  const what = `bytes written at ${length} messages`;
  return against(what, summarise(bytes.whole).median, { name: 'appendMessages', value }, atMost(1.2));
}

type Ground = Awaited<ReturnType<Bench['open']>>;

async function loggedBy({ inspect }: Ground, work: () => Promise<unknown>): Promise<number> {
  const before = await inspect.logged();
  await work();
  return (await inspect.logged()) - before;
}

async function rowsWritten(bench: Bench): Promise<Measurement> {
  const ground = await bench.open();
  await build(ground, 'agent', bench.turns, bench.size(10_000, 200));
  const messages = await ground.store.loadMessages('agent');
  const writes = await ground.inspect.countWrites(TABLE[bench.backend] ?? '');
  await ground.store.saveMessages('agent', [...messages, messageOf(bench)]);
  return counted('message rows written', await writes(), exactly(1));
}

/** Nothing is new: what it takes to find that out. */
async function time(bench: Bench): Promise<Measurement> {
  const ground = await bench.open({ durability: 'normal' });
  const length = bench.size(10_000, 200);
  await build(ground, 'agent', bench.turns, length);
  const messages = await ground.store.loadMessages('agent');
  const repetitions = await interleave(
    { run: () => ground.store.saveMessages('agent', messages) },
    { run: () => messages.map((message) => JSON.stringify(message)) },
    bench.effort(15),
  );
  return timed({ what: `${length} messages, none new`, to: 'JSON.stringify', bound: atMost(3) }, repetitions);
}

function messageOf(bench: Bench): Message {
  const [first] = bench.turns.next().messages;
  if (!first) throw new Error('A turn has no message.');
  return first;
}

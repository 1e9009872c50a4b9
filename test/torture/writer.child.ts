import type { Message } from '../../src/model/message.ts';
import { asks, conversation, progress, user } from '../../src/testing/samples.ts';
import { openAnywhere } from './place.ts';
import { digestOf, type Said } from './said.ts';

// Works at a place until it is killed, as several agents at once, and says what was acknowledged.
const WRITERS = 3;
const [place = '', prefix = ''] = process.argv.slice(2);
const store = await openAnywhere(JSON.parse(place));

/** A synchronous write: what is read of it was acknowledged, even if this process dies right now. */
function say(said: Said): void {
  process.stdout.write(`${JSON.stringify(said)}\n`);
}

function holds(id: string, messages: readonly Message[]): void {
  say({ done: 'holds', id, count: messages.length, digest: digestOf(messages) });
}

function heavy(name: string, count: number): Message[] {
  return Array.from({ length: count }, (_, n) => user(`${name}-${n} ${'.'.repeat(400)}`));
}

async function round(name: string): Promise<void> {
  const [a, b, c] = [`${name}-a`, `${name}-b`, `${name}-c`];
  const step = [asks('call'), ...heavy('tail', 60)];
  const whole = [...conversation(3), ...step];
  say({ done: 'unsure', id: a });
  await store.commit(a, { info: {}, messages: conversation(3), expectedVersion: 0 });
  holds(a, conversation(3));
  await store.commit(a, { messages: step, events: [progress('x')], operationId: 'step' });
  holds(a, whole);
  say({ done: 'events', id: a, count: 1 });
  await store.saveSnapshot(a, { id: 's' });
  await store.fork(a, { agentId: b, at: 20 });
  holds(b, whole.slice(0, 20));
  for (const content of [1, 2]) {
    await store.saveDocument(a, { kind: 'media-cache', name: 'x', content });
    say({ done: 'document', id: a, content });
  }
  say({ done: 'unsure', id: a });
  await store.saveMessages(a, [user('rewritten')]);
  holds(a, [user('rewritten')]);
  await store.fork(b, { agentId: c, at: 10 });
  holds(c, whole.slice(0, 10));
  await Promise.all(heavy('together', 5).map((message) => store.appendEvent(a, progress('e', { message }))));
  say({ done: 'events', id: a, count: 6 });
  for (const id of [b, a]) {
    say({ done: 'unsure', id });
    await store.delete(id);
    say({ done: 'deleted', id });
  }
  await store.appendMessages(c, [user('on')]);
  holds(c, [...whole.slice(0, 10), user('on')]);
}

async function write(writer: string): Promise<void> {
  try {
    for (let n = 0; ; n += 1) await round(`${prefix}-${writer}-${n}`);
  } catch (error) {
    // Of a long message the beginning does.
    say({ done: 'failed', id: writer, error: String(error).slice(0, 200) });
    process.exit();
  }
}

// The opening is no part of it.
await store.list();
await Promise.all(Array.from({ length: WRITERS }, (_, n) => write(`w${n}`)));

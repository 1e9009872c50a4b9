import { JSONStore } from '../../src/json/store.ts';
import type { Message } from '../../src/model/message.ts';
import { asks, conversation, progress, user } from '../../src/testing/samples.ts';

// Works on the folder in argv[2] until it is killed, and says what was acknowledged.
const store = new JSONStore(process.argv[2] ?? '');

function heavy(name: string, count: number): Message[] {
  return Array.from({ length: count }, (_, n) => user(`${name}-${n} ${'.'.repeat(400)}`));
}

function say(done: string, id: string, messages: Message[] | undefined): void {
  process.send?.({ done, id, messages });
}

async function round(n: number): Promise<void> {
  const a = `a${n}`;
  const tail = heavy('tail', 60);
  say('creating', a, undefined);
  await store.commit(a, { info: {}, messages: conversation(3), expectedVersion: 0 });
  say('holds', a, conversation(3));
  const step = [asks('call'), ...tail];
  await store.commit(a, { messages: step, events: [progress('x')], operationId: 'step' });
  say('holds', a, [...conversation(3), ...step]);
  await store.saveSnapshot(a, { id: 's' });
  await store.fork(a, { agentId: `b${n}`, at: 20 });
  const ofB = [...conversation(3), ...step].slice(0, 20);
  say('holds', `b${n}`, ofB);
  await store.saveDocument(a, { kind: 'media-cache', name: 'x', content: 1 });
  await store.saveDocument(a, { kind: 'media-cache', name: 'x', content: 2 });
  say('rewriting', a, undefined);
  await store.saveMessages(a, [user('rewritten')]);
  say('holds', a, [user('rewritten')]);
  await store.fork(`b${n}`, { agentId: `c${n}`, at: 10 });
  say('holds', `c${n}`, ofB.slice(0, 10));
  await Promise.all(
    heavy('together', 5).map((message) => store.appendEvent(a, { ...progress('e'), message })),
  );
  for (const id of [`b${n}`, a]) {
    say('deleting', id, undefined);
    await store.delete(id);
    say('deleted', id, undefined);
  }
  await store.appendMessages(`c${n}`, [user('on')]);
  say('holds', `c${n}`, [...ofB.slice(0, 10), user('on')]);
}

for (let n = 0; ; n += 1) await round(n);

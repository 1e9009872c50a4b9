import { closeSync, openSync } from 'node:fs';
import { JSONStore } from '../../src/json/store.ts';
import { user } from '../../src/testing/samples.ts';

const [, , root = '', what] = process.argv;

/** Takes all places for open files that are left. */
function useUp(): () => void {
  const taken: number[] = [];
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'));
  } catch {
    return () => {
      for (const fd of taken) closeSync(fd);
    };
  }
}

async function many(): Promise<void> {
  const store = new JSONStore(root, { durability: 'normal' });
  const ids = Array.from({ length: 200 }, (_, n) => `agent ${n}`);
  await Promise.all(
    ids.map((id) => store.commit(id, { info: {}, messages: [user(id)], expectedVersion: 0 })),
  );
  await Promise.all(ids.map((id) => store.appendMessages(id, [user('on')])));
  const loaded = await Promise.all(ids.map((id) => store.loadMessages(id)));
  console.log(`${loaded.filter(({ length }) => length === 2).length} agents`);
  await store.close();
}

async function usedUp(): Promise<void> {
  const store = new JSONStore(root);
  let giveBack = useUp();
  await store.list().catch(({ code }) => console.log(`opening: ${code}`));
  giveBack();
  await store.saveInfo('a', {});
  console.log('opened');
  await store.appendMessages('a', [user('one')]);
  await store.saveInfo('b', {});
  giveBack = useUp();
  // The file that is only kept open gives way.
  await store.saveDocument('b', { kind: 'compression', name: 'x', content: 1 });
  console.log('wrote nevertheless');
  giveBack();
  await store.saveDocument('b', { kind: 'compression', name: 'x', content: 1 });
  await store.appendMessages('a', [user('two')]);
  console.log(`wrote ${(await store.loadMessages('a')).length}`);
  await store.close();
}

async function unclosed(): Promise<void> {
  await new JSONStore(root).commit('a', { info: {}, messages: [user('x')], expectedVersion: 0 });
  const again = async () => {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
  };
  for (let n = 0; n < 5; n += 1) await again();
  console.log('done');
}

if (what === 'many') await many();
else if (what === 'used-up') await usedUp();
else await unclosed();

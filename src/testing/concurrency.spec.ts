import assert from 'node:assert/strict';
import { AgentExistsError, AgentNotFoundError, StoreBusyError, VersionConflictError } from '../errors.ts';
import type { Message } from '../model/message.ts';
import { MAX_WRITES_OF_AGENT } from '../store/queues.ts';
import type { Store } from '../store/store.ts';
import type { Spec } from './harness.ts';
import { assistant, collect, conversation, createAgent, progress, user } from './samples.ts';
import { outcomes, pause } from './timing.ts';

export function concurrencySpec(spec: Spec): void {
  spec.describe('at the same moment', () => {
    creators(spec);
    writers(spec);
    forksAndRewrites(spec);
    timelines(spec);
  });
}

function textsOf(messages: Message[]): unknown[] {
  return messages.flatMap((message) =>
    message.content.map((block) => ('text' in block ? block.text : block)),
  );
}

function creators(spec: Spec): void {
  async function oneCreates(stores: Store[], reader: () => Promise<Store>): Promise<void> {
    for (let round = 0; round < 10; round += 1) {
      const id = `a${round}`;
      const creating = stores.map((store, n) =>
        store.commit(id, { info: { templateId: `t${n}` }, messages: [user(`${n}`)], expectedVersion: 0 }),
      );
      const { values, errors } = await outcomes(creating);
      assert.equal(values.length, 1, 'winners');
      for (const error of errors) assert.ok(error instanceof AgentExistsError, String(error));
    }
    const store = await reader();
    for (let round = 0; round < 10; round += 1) {
      const { info, messages } = await store.loadAgent(`a${round}`);
      assert.equal(info.version, 1);
      assert.deepEqual(
        textsOf(messages),
        [info.templateId.slice(1)],
        'the info of one, the messages of another',
      );
    }
  }

  spec.test('of many creators of an agent one wins', async (context) => {
    await oneCreates(new Array<Store>(6).fill(context.store), () => context.reopen());
  });

  spec.shared('of many creators in several stores one wins', async (context) => {
    const stores = [context.store, await context.another(), await context.another()];
    await oneCreates([...stores, ...stores], () => context.reopen());
  });
}

function writers(spec: Spec): void {
  async function appendsLand(stores: Store[], reader: () => Promise<Store>): Promise<void> {
    await createAgent(stores[0] ?? assert.fail('a store'), 'a');
    const writing = stores.map(async (store, writer) => {
      for (let n = 0; n < 25; n += 1)
        await store.appendMessages('a', [user(`${writer}:${n}`), assistant('ok')]);
    });
    await Promise.all(writing);
    const store = await reader();
    const messages = await store.loadMessages('a');
    assert.equal(messages.length, stores.length * 50);
    for (const [n, message] of messages.entries())
      assert.equal(message.role, n % 2 === 0 ? 'user' : 'assistant');
    const texts = textsOf(messages).map(String);
    for (const writer of stores.keys()) {
      const own = texts.filter((text) => text.startsWith(`${writer}:`));
      assert.deepEqual(
        own,
        Array.from({ length: 25 }, (_, n) => `${writer}:${n}`),
      );
    }
    assert.equal((await store.loadInfo('a'))?.version, 1 + stores.length * 25);
  }

  spec.test('appends of several writers all land, each whole and in its order', async (context) => {
    await appendsLand(new Array<Store>(4).fill(context.store), () => context.reopen());
  });

  spec.shared('appends of several stores all land, each whole and in its order', async (context) => {
    const stores = [context.store, await context.another(), await context.another()];
    await appendsLand(stores, () => context.reopen());
  });

  async function neverMixed(stores: Store[], reader: () => Promise<Store>): Promise<void> {
    const whole = (name: string, length: number) => [...conversation(3), ...conversation(length, `${name}.`)];
    await createAgent(stores[0] ?? assert.fail('a store'), 'a', whole('first', 5));
    for (let round = 0; round < 15; round += 1) {
      // Of different lengths: a shorter one that goes over a longer one must leave nothing behind.
      const versions = stores.map((_, n) => whole(`${round}-${n}`, 1 + ((round * 5 + n * 3) % 8)));
      await Promise.all(stores.map((store, n) => store.saveMessages('a', versions[n] ?? [])));
      const stored = JSON.stringify(await (stores[0] ?? assert.fail()).loadMessages('a'));
      assert.ok(
        versions.some((version) => JSON.stringify(version) === stored),
        `a mixture: ${stored}`,
      );
    }
    const { info, messages } = await (await reader()).loadAgent('a');
    assert.equal(info.messageCount, messages.length);
    assert.equal(info.version, 1 + 15 * stores.length);
  }

  spec.test('whole conversations saved over each other never mix', async (context) => {
    await neverMixed(new Array<Store>(4).fill(context.store), () => context.reopen());
  });

  spec.shared('whole conversations saved by several stores never mix', async (context) => {
    const stores = [context.store, await context.another(), await context.another()];
    await neverMixed([...stores, ...stores], () => context.reopen());
  });

  spec.shared('of two commits on one version one wins, and the other is told', async (context) => {
    const stores = [context.store, await context.another()];
    await createAgent(context.store, 'a');
    for (let version = 1; version <= 20; version += 1) {
      const committing = stores.map((store, n) =>
        store.commit('a', { messages: [user(`${version}:${n}`)], expectedVersion: version }),
      );
      const { values, errors } = await outcomes(committing);
      assert.equal(values.length, 1, 'winners');
      const [error] = errors;
      assert.ok(error instanceof VersionConflictError, String(error));
      assert.deepEqual([error.expected, error.actual], [version, version + 1]);
    }
    assert.equal((await (await context.reopen()).loadMessages('a')).length, 20);
  });

  spec.shared('an operation that is sent twice takes effect once', async (context) => {
    const stores = [context.store, await context.another()];
    await createAgent(context.store, 'a');
    for (let round = 0; round < 20; round += 1) {
      const change = { messages: [user(`${round}`)], events: [progress('x')], operationId: `o${round}` };
      const [first, second] = await Promise.all(stores.map((store) => store.commit('a', change)));
      assert.deepEqual(first, second);
    }
    const { messages } = await (await context.reopen()).loadAgent('a');
    assert.deepEqual(
      textsOf(messages),
      Array.from({ length: 20 }, (_, n) => `${n}`),
    );
  });
}

function forksAndRewrites(spec: Spec): void {
  /** Six messages, of which a rewrite replaces all after the first two. */
  const version = (round: number) => [...conversation(2), ...conversation(4, `${round}.`)];

  /** Each fork and snapshot is of one version, whole, and stays so whatever is rewritten later. */
  async function historyIsKept(
    writer: Store,
    forker: Store,
    rounds: number,
    reader: () => Promise<Store>,
  ): Promise<void> {
    await createAgent(writer, 'a', version(0));
    const claims = new Map<string, string>();
    for (let round = 1; round <= rounds; round += 1) {
      const [, ...forks] = await Promise.all([
        writer.saveMessages('a', version(round)),
        forker.fork('a'),
        forker.fork('a', { at: 5 }),
        forker.fork('a', { at: 3 }),
        writer.fork('a', { at: 6 }),
      ]);
      for (const [n, length] of [6, 5, 3, 6].entries()) {
        const fork = forks[n] ?? assert.fail('a fork');
        const claim = JSON.stringify(await forker.loadMessages(fork));
        const possible = [version(round - 1), version(round)].map((messages) => messages.slice(0, length));
        assert.ok(
          possible.some((messages) => JSON.stringify(messages) === claim),
          `round ${round}: ${claim}`,
        );
        claims.set(fork, claim);
      }
    }
    const store = await reader();
    assert.equal(claims.size, 4 * rounds);
    for (const [fork, claim] of claims) assert.equal(JSON.stringify(await store.loadMessages(fork)), claim);
    assert.deepEqual(await store.loadMessages('a'), version(rounds));
  }

  spec.test(
    'a fork keeps the history that it claims against a rewrite',
    async (context) => {
      await historyIsKept(context.store, context.store, 25, () => context.reopen());
    },
    60_000,
  );

  spec.shared(
    'a fork keeps the history that it claims against a rewrite by another store, a thousand times',
    async (context) => {
      const writer = await context.another();
      await historyIsKept(writer, context.store, 250, () => context.reopen());
    },
    180_000,
  );

  spec.shared(
    'a snapshot keeps the history that it claims against a rewrite by another store',
    async (context) => {
      const writer = await context.another();
      await createAgent(writer, 'a', version(0));
      for (let round = 1; round <= 40; round += 1) {
        await Promise.all([
          writer.saveMessages('a', version(round)),
          context.store.saveSnapshot('a', { id: `s${round}` }),
        ]);
      }
      const store = await context.reopen();
      for (let round = 1; round <= 40; round += 1) {
        const snapshot = await store.loadSnapshot('a', `s${round}`);
        const claim = JSON.stringify(snapshot?.messages);
        const possible = [version(round - 1), version(round)].map((messages) => JSON.stringify(messages));
        assert.ok(possible.includes(claim), `round ${round}: ${claim}`);
      }
    },
    60_000,
  );

  spec.shared(
    'a fork either has its whole history or is refused, when its parent is deleted',
    async (context) => {
      const deleter = await context.another();
      for (let round = 0; round < 30; round += 1) {
        const id = `a${round}`;
        await createAgent(deleter, id, conversation(5));
        const [fork] = await Promise.all([outcomes([context.store.fork(id, { at: 4 })]), deleter.delete(id)]);
        for (const error of fork.errors) assert.ok(error instanceof AgentNotFoundError, String(error));
        for (const child of fork.values) assert.deepEqual(await deleter.loadMessages(child), conversation(4));
      }
      const store = await context.reopen();
      for (const child of await store.list())
        assert.deepEqual(await store.loadMessages(child), conversation(4));
    },
  );
}

function timelines(spec: Spec): void {
  spec.test(
    'X3 takes as many events at once as may wait, and refuses the others whole',
    async ({ store }) => {
      await createAgent(store, 'a');
      const appending = Array.from({ length: MAX_WRITES_OF_AGENT + 100 }, (_, n) =>
        store.appendEvent('a', progress('tick', { n })),
      );
      const { values, errors } = await outcomes(appending);
      assert.ok(errors.length > 0, 'refused');
      assert.ok(values.length >= MAX_WRITES_OF_AGENT, `accepted ${values.length}`);
      for (const error of errors) assert.ok(error instanceof StoreBusyError, String(error));
      assert.deepEqual(
        values,
        Array.from(values, (_, n) => n + 1),
      );
      const [newest] = await collect(store.readEvents('a', { since: values.length - 1 }));
      assert.equal(newest?.event.n, values.length - 1);
      assert.equal(await store.appendEvent('a', progress('tick')), values.length + 1);
    },
  );

  spec.shared(
    'events of two stores come in the order of the cursor, none missing, to readers in both',
    async (context) => {
      const stores = [context.store, await context.another()];
      await createAgent(context.store, 'a');
      let writing = stores.length;
      const writers = stores.map(async (store, writer) => {
        try {
          for (let n = 0; n < 60; n += 1) await store.appendEvent('a', progress('e', { writer, n }));
        } finally {
          writing -= 1;
        }
      });
      const readers = stores.map(async (store) => {
        let since = 0;
        for (let last = false; !last; ) {
          last = writing === 0;
          for (const stored of await collect(store.readEvents('a', { since }))) {
            assert.equal(stored.cursor, since + 1, 'a gap, or an event that came late');
            since = stored.cursor;
          }
          // An embedded database may answer without giving way: the writers must get their turn.
          await pause(1);
        }
        return since;
      });
      await Promise.all(writers);
      assert.deepEqual(await Promise.all(readers), [120, 120]);
      const events = await collect((await context.reopen()).readEvents('a'));
      for (const writer of stores.keys()) {
        const own = events.filter(({ event }) => event.writer === writer).map(({ event }) => event.n);
        assert.deepEqual(
          own,
          Array.from({ length: 60 }, (_, n) => n),
        );
      }
    },
    60_000,
  );
}

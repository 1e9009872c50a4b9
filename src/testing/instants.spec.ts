import assert from 'node:assert/strict';
import type { Spec } from './harness.ts';
import {
  asks,
  assistant,
  collect,
  conversation,
  createAgent,
  minute,
  progress,
  refused,
  user,
  wrong,
} from './samples.ts';

/** When things happened: now, or `at`; set once, and never backwards within an agent. */
export function instantsSpec(spec: Spec): void {
  spec.describe('instants', () => {
    spec.test('are those of the clock without at', async ({ store, reopen }) => {
      const before = Date.now();
      await createAgent(store, 'a', [asks('call')]);
      await store.appendEvent('a', progress('x'));
      await store.saveSnapshot('a', { id: 's' });
      const after = Date.now();
      const again = await reopen();
      const { info, toolCalls } = await again.loadAgent('a');
      const instants = [info.createdAt, info.updatedAt, toolCalls[0]?.createdAt, toolCalls[0]?.updatedAt];
      const [stored] = await collect(again.readEvents('a'));
      instants.push(new Date(stored?.bookmark.timestamp ?? 0));
      instants.push((await again.loadSnapshot('a', 's'))?.createdAt);
      for (const [n, instant] of instants.entries()) {
        assert.ok(instant instanceof Date, `instant ${n} is a Date`);
        // The clock may be a server's: close to ours is enough.
        assert.ok(instant.getTime() > before - 60_000 && instant.getTime() < after + 60_000, `instant ${n}`);
      }
    });

    spec.test('are those of at for everything in the commit', async ({ store, reopen }) => {
      await store.commit('a', { info: {}, at: minute(0), expectedVersion: 0 });
      await store.commit('a', {
        messages: [asks('call')],
        events: [progress('x')],
        snapshot: { id: 's' },
        compaction: { seq: 1, messages: [] },
        todos: { todos: ['x'] },
        at: minute(3),
      });
      const again = await reopen();
      const { info, toolCalls, todos, compaction } = await again.loadAgent('a');
      assert.deepEqual(info.createdAt, minute(0));
      assert.deepEqual(info.updatedAt, minute(3));
      assert.deepEqual(toolCalls[0]?.createdAt, minute(3));
      assert.deepEqual(toolCalls[0]?.updatedAt, minute(3));
      assert.deepEqual(todos?.updatedAt, minute(3));
      assert.deepEqual(compaction?.createdAt, minute(3));
      assert.deepEqual((await again.loadSnapshot('a', 's'))?.createdAt, minute(3));
      const [stored] = await collect(again.readEvents('a'));
      assert.equal(stored?.bookmark.timestamp, minute(3).getTime());
    });

    spec.extended("are each message's own with an array", async ({ store, reopen }) => {
      const at = [minute(0), minute(2), minute(2), minute(7)];
      await store.commit('a', { info: {}, messages: conversation(4), at, expectedVersion: 0 });
      await store.commit('a', { messages: [user('later')], at: minute(9) });
      assert.deepEqual(await messageTimes(await reopen()), [...at, minute(9)]);
    });

    spec.test('of a tool call are those of its message', async ({ store, reopen }) => {
      await store.commit('a', {
        info: {},
        messages: [user('x'), asks('one'), asks('two')],
        at: [minute(0), minute(1), minute(2)],
        expectedVersion: 0,
      });
      const calls = await (await reopen()).loadToolCallRecords('a');
      assert.deepEqual(
        calls.map((call) => call.createdAt),
        [minute(1), minute(2)],
      );
    });

    spec.extended('of messages survive later saves', async ({ store, reopen }) => {
      await store.commit('a', { info: {}, messages: conversation(3), at: minute(0), expectedVersion: 0 });
      await store.commit('a', { messages: [assistant('m3')], at: minute(5) });
      await store.saveMessages('a', conversation(5));
      await store.saveInfo('a', { status: 'running' });
      await store.saveMessages('a', [...conversation(4), user('another end')]);
      const times = await messageTimes(await reopen());
      assert.deepEqual(times.slice(0, 4), [minute(0), minute(0), minute(0), minute(5)]);
      assert.ok(times[4] && times[4] > minute(60));
    });

    spec.test('of a call: createdAt stays, updatedAt goes on', async ({ store, reopen }) => {
      await store.commit('a', { info: {}, messages: [asks('call')], at: minute(0), expectedVersion: 0 });
      await store.commit('a', { toolCalls: [{ toolCallId: 'call', state: 'executing' }], at: minute(4) });
      const [call] = await (await reopen()).loadToolCallRecords('a');
      assert.deepEqual([call?.createdAt, call?.updatedAt], [minute(0), minute(4)]);
    });

    spec.test('never run backwards', async ({ store, reopen }) => {
      await store.commit('a', { info: {}, at: minute(10), expectedVersion: 0 });
      await store.commit('a', { messages: [asks('call')], events: [progress('x')], at: minute(5) });
      await store.commit('a', { events: [progress('x')], at: minute(20) });
      await store.commit('a', { toolCalls: [{ toolCallId: 'call', state: 'executing' }], at: minute(15) });
      const again = await reopen();
      const [call] = await again.loadToolCallRecords('a');
      assert.deepEqual([call?.createdAt, call?.updatedAt], [minute(10), minute(20)]);
      const events = await collect(again.readEvents('a'));
      assert.deepEqual(
        events.map(({ bookmark }) => bookmark.timestamp),
        [minute(10).getTime(), minute(20).getTime()],
      );
      assert.deepEqual((await again.loadInfo('a'))?.updatedAt, minute(20));
    });

    spec.extended('never run backwards within a commit either', async ({ store, reopen }) => {
      const at = [minute(1), minute(6), minute(3), minute(8)];
      await store.commit('a', { info: {}, messages: conversation(4), at, expectedVersion: 0 });
      await store.commit('a', { messages: [user('late')], at: minute(2) });
      assert.deepEqual(await messageTimes(await reopen()), [1, 6, 6, 8, 8].map(minute));
    });

    spec.test('far in the past and before 1970 are instants too', async ({ store, reopen }) => {
      const long = new Date(Date.UTC(1904, 0, 2, 3, 4, 5, 678));
      await store.commit('a', { info: {}, at: long, expectedVersion: 0 });
      await store.commit('a', { messages: [asks('call')], at: long });
      const { info, toolCalls } = await (await reopen()).loadAgent('a');
      assert.deepEqual([info.createdAt, info.updatedAt, toolCalls[0]?.createdAt], [long, long, long]);
    });

    spec.test("that aren't are refused", async ({ store, reopen }) => {
      await createAgent(store, 'a');
      const invalid = new Date(Number.NaN);
      await refused(store.commit('a', { messages: [user('x')], at: invalid }), 'at');
      await refused(store.commit('a', { messages: conversation(2), at: [minute(0), invalid] }), 'at');
      await refused(store.commit('a', { messages: [user('x')], at: wrong('yesterday') }), 'at');
      await refused(store.commit('a', { messages: conversation(2), at: [minute(0)] }), 'at');
      assert.deepEqual(await (await reopen()).loadMessages('a'), []);
    });
  });
}

async function messageTimes(store: {
  queryMessages(filter: { agentId: string; order: 'asc' }): Promise<{ createdAt: Date }[]>;
}): Promise<Date[]> {
  return (await store.queryMessages({ agentId: 'a', order: 'asc' })).map(({ createdAt }) => createdAt);
}

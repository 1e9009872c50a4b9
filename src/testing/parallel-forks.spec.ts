import assert from 'node:assert/strict';
import { AgentExistsError, AgentNotFoundError, ValidationError } from '../errors.ts';
import type { Spec } from './harness.ts';
import { asks, conversation, createAgent, sameJson, user } from './samples.ts';
import { outcomes } from './timing.ts';

const FORKS = 100;
const ids = Array.from({ length: FORKS }, (_, n) => `fork ${n}`);

export function parallelForksSpec(spec: Spec): void {
  spec.describe('forks of one agent that are asked for at once', () => {
    spec.test('are all made, each under its own id', async ({ store, reopen }) => {
      await createAgent(store, 'a', [...conversation(3), asks('open')], { metadata: { of: 'a' } });
      assert.deepEqual(await Promise.all(ids.map((agentId) => store.fork('a', { agentId }))), ids);
      const again = await reopen();
      assert.deepEqual(await again.list('fork'), [...ids].sort());
      for (const id of ['fork 0', 'fork 1', 'fork 99']) {
        sameJson(await again.loadMessages(id), await again.loadMessages('a'));
        const [call] = await again.loadToolCallRecords(id);
        assert.equal(call?.state, 'sealed');
        await again.appendMessages(id, [user(id)]);
      }
      sameJson((await again.loadMessages('fork 99')).at(-1), user('fork 99'));
      sameJson((await again.loadMessages('a')).length, 4);
    });

    spec.test('are of the position that each one names', async ({ store }) => {
      await createAgent(store, 'a', conversation(5));
      await store.saveSnapshot('a', { id: '3' });
      await store.appendMessages('a', [user('after')]);
      const positions = [undefined, 3, '3', 0, 1, 6] as const;
      const forks = await Promise.all(
        ids.map((agentId, n) => store.fork('a', { agentId, at: positions[n % positions.length] })),
      );
      const lengths = await Promise.all(forks.map(async (id) => (await store.loadMessages(id)).length));
      assert.deepEqual(
        lengths,
        ids.map((_, n) => [6, 3, 5, 0, 1, 6][n % positions.length]),
      );
    });

    spec.test('fail each for itself when an id is taken', async ({ store, reopen }) => {
      await createAgent(store, 'a', conversation(2));
      for (const n of [7, 50]) await createAgent(store, `fork ${n}`, [user('of another')]);
      const twice = ['fork 3', 'fork 80'];
      const made = await Promise.allSettled(
        [...ids, ...twice].map((agentId) => store.fork('a', { agentId })),
      );
      const failed = made.flatMap(({ status }, n) => (status === 'rejected' ? [n] : []));
      assert.deepEqual(failed, [7, 50, 100, 101]);
      for (const outcome of made) {
        if (outcome.status === 'rejected') assert.ok(outcome.reason instanceof AgentExistsError);
      }
      const again = await reopen();
      assert.deepEqual(await again.list('fork'), [...ids].sort());
      sameJson(await again.loadMessages('fork 50'), [user('of another')]);
      for (const id of ['fork 3', 'fork 51']) sameJson(await again.loadMessages(id), conversation(2));
    });

    spec.test('fail each for itself when their position is not there', async ({ store }) => {
      await createAgent(store, 'a', conversation(2));
      const { values, errors } = await outcomes(
        ids.map((agentId, n) => store.fork('a', { agentId, at: n % 4 === 3 ? 3 : n % 3 })),
      );
      assert.deepEqual([values.length, errors.length], [75, 25]);
      for (const error of errors) assert.ok(error instanceof ValidationError);
      const missing = await outcomes(ids.map(() => store.fork('nobody')));
      assert.equal(missing.errors.length, FORKS);
      for (const error of missing.errors) assert.ok(error instanceof AgentNotFoundError);
    });

    spec.test('have what was committed before each of them', async ({ store }) => {
      await createAgent(store, 'a');
      const lengths = await Promise.all(
        ids.map(async (agentId, n) => {
          if (n % 10 !== 0) return { least: 0, fork: await store.fork('a', { agentId }) };
          const { messageCount } = await store.commit('a', { messages: [user(`${n}`)] });
          return { least: messageCount, fork: await store.fork('a', { agentId }) };
        }),
      );
      for (const { least, fork } of lengths) {
        assert.ok((await store.loadMessages(fork)).length >= least, `${fork} has ${least} messages`);
      }
    });
  });
}

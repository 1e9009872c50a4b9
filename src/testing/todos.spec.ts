import assert from 'node:assert/strict';
import { LeaseNotHeldError } from '../errors.ts';
import type { Spec } from './harness.ts';
import { conversation, createAgent, minute, refused, sameJson, user, wrong } from './samples.ts';

const TODOS = [
  { id: '1', title: 'look', status: 'completed' },
  { id: '2', title: 'leap', status: 'pending' },
];

export function todosSpec(spec: Spec): void {
  spec.describe('to-dos', () => {
    spec.test('are undefined until there are some', async ({ store, reopen }) => {
      await createAgent(store, 'a', conversation(2));
      assert.equal(await store.loadTodos('a'), undefined);
      const again = await reopen();
      assert.equal(await again.loadTodos('a'), undefined);
      assert.equal((await again.loadAgent('a')).todos, undefined);
    });

    spec.test('come back with the version and instant of their commit', async ({ store, reopen }) => {
      await store.commit('a', { info: {}, at: minute(0), expectedVersion: 0 });
      await store.commit('a', { todos: { todos: TODOS }, at: minute(3) });
      const again = await reopen();
      assert.deepEqual(await again.loadTodos('a'), { todos: TODOS, version: 2, updatedAt: minute(3) });
      assert.deepEqual((await again.loadAgent('a')).todos, await again.loadTodos('a'));
    });

    spec.test('keep a version and an instant that are given', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      await store.saveTodos('a', { todos: TODOS, version: 41, updatedAt: minute(1) });
      assert.deepEqual(await (await reopen()).loadTodos('a'), {
        todos: TODOS,
        version: 41,
        updatedAt: minute(1),
      });
    });

    spec.test('are replaced as a whole', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      await store.saveTodos('a', { todos: TODOS });
      await store.saveTodos('a', { todos: TODOS.slice(1) });
      sameJson((await (await reopen()).loadTodos('a'))?.todos, TODOS.slice(1));
    });

    spec.test('may be none', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      await store.saveTodos('a', { todos: TODOS });
      await store.saveTodos('a', { todos: [] });
      assert.deepEqual((await (await reopen()).loadTodos('a'))?.todos, []);
    });

    spec.test('stay when other things are committed', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      await store.saveTodos('a', { todos: TODOS });
      await store.commit('a', { messages: [user('x')], info: { status: 'running' } });
      await store.saveMessages('a', []);
      const todos = await (await reopen()).loadTodos('a');
      sameJson(todos?.todos, TODOS);
      assert.equal(todos?.version, 2);
    });

    spec.test("are each agent's own", async ({ store, reopen }) => {
      await createAgent(store, 'a');
      await createAgent(store, 'b');
      await store.saveTodos('a', { todos: ['of a'] });
      const again = await reopen();
      assert.deepEqual((await again.loadTodos('a'))?.todos, ['of a']);
      assert.equal(await again.loadTodos('b'), undefined);
    });

    spec.test('need the lease while there is one', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      const lease = await store.acquireAgentLock('a');
      await assert.rejects(store.saveTodos('a', { todos: ['no'] }), LeaseNotHeldError);
      await store.saveTodos('a', { todos: ['yes'] }, { lease });
      assert.deepEqual((await (await reopen()).loadTodos('a'))?.todos, ['yes']);
    });

    spec.test('that are no list are refused', async ({ store, reopen }) => {
      await createAgent(store, 'a');
      await refused(store.saveTodos('a', wrong({ todos: 'look' })), 'todos');
      await refused(store.saveTodos('a', wrong({})), 'todos');
      assert.equal(await (await reopen()).loadTodos('a'), undefined);
    });
  });
}

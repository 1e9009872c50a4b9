import assert from 'node:assert/strict';
import { AgentExistsError, AgentNotFoundError, VersionConflictError } from '../errors.ts';
import type { TurnCommit } from '../model/agent.ts';
import type { Spec } from './harness.ts';
import {
  answers,
  asks,
  assistant,
  collect,
  conversation,
  createAgent,
  event,
  everything,
  progress,
  refused,
  sameJson,
  toolUse,
  user,
  wrong,
} from './samples.ts';

/** One wrong part each; everything beside it in the commit is right. */
const BAD_PARTS: Record<string, { part: TurnCommit; field: string }> = {
  "a role that doesn't exist": { part: { messages: [wrong({ role: 'tool', content: [] })] }, field: 'role' },
  'content that is text': { part: { messages: [wrong({ role: 'user', content: 'hi' })] }, field: 'content' },
  'a block without a type': { part: { messages: [wrong({ role: 'user', content: [{}] })] }, field: 'type' },
  'a block that is null': {
    part: { messages: [wrong({ role: 'user', content: [null] })] },
    field: 'content',
  },
  'a message that is null': { part: { messages: [wrong(null)] }, field: 'messages' },
  'a tool_use without an id': { part: { messages: [use({ name: 'search', input: {} })] }, field: 'id' },
  'a tool_use without a name': { part: { messages: [use({ id: 'x', input: {} })] }, field: 'name' },
  'a tool_result without a tool_use_id': {
    part: { messages: [{ role: 'user', content: [wrong({ type: 'tool_result', content: '' })] }] },
    field: 'tool_use_id',
  },
  "a message that JSON can't hold": {
    part: { messages: [{ ...user('x'), metadata: { score: Number.NaN } }] },
    field: 'score',
  },
  'a new tool call without a name': { part: { toolCalls: [{ toolCallId: 'new' }] }, field: 'toolName' },
  "a call that isn't there": { part: { toolCalls: [{ toolCallId: 'open', callSeq: 99 }] }, field: 'callSeq' },
  'a tool call in an unknown state': {
    part: { toolCalls: [{ toolCallId: 'open', state: wrong('lost') }] },
    field: 'state',
  },
  'a change of a completed call': {
    part: { toolCalls: [{ toolCallId: 'done', output: 'other' }] },
    field: '',
  },
  'an event on an unknown channel': { part: { events: [event(wrong('gossip'), 'x')] }, field: 'channel' },
  'an event without a type': { part: { events: [wrong({ channel: 'progress' })] }, field: 'type' },
  "a to-do that JSON can't hold": { part: { todos: { todos: [{ due: 1n }] } }, field: 'due' },
  "another agent's info": { part: { info: { agentId: 'b' } }, field: 'agentId' },
  "metadata that JSON can't hold": { part: { info: { metadata: { run: () => 1 } } }, field: 'run' },
  'a compaction beyond the end': { part: { compaction: { seq: 99, messages: [] } }, field: 'seq' },
  'a compaction with a bad message': {
    part: { compaction: { seq: 1, messages: [wrong({ role: 'tool', content: [] })] } },
    field: 'role',
  },
  'a snapshot with a bad id': { part: { snapshot: { id: '../x' } }, field: 'id' },
};

function use(block: Record<string, unknown>) {
  return { role: 'assistant' as const, content: [{ type: 'tool_use', ...block }] };
}

export function commitsSpec(spec: Spec): void {
  spec.describe('commits', () => {
    spec.test('store everything that a step produced', async ({ store, reopen }) => {
      await createAgent(store, 'a', [user('What is new?')]);
      const result = await store.commit('a', {
        messages: [asks('call'), answers('call'), assistant('All quiet.')],
        toolCalls: [{ toolCallId: 'call', state: 'completed', output: 'nothing' }],
        events: [progress('tool'), event('monitor', 'usage')],
        todos: { todos: [{ title: 'sleep' }] },
        usage: [{ model: 'm-1', inputTokens: 10, outputTokens: 2 }],
        info: { status: 'running', lastSfpIndex: 3 },
        compaction: { seq: 2, messages: [user('so far')] },
        snapshot: { id: 'after' },
      });
      assert.deepEqual(result, { version: 2, messageCount: 4, cursor: 2 });

      const again = await reopen();
      const { info, messages, toolCalls, todos, compaction } = await again.loadAgent('a');
      assert.equal(info.version, 2);
      assert.equal(info.messageCount, 4);
      assert.equal(info.status, 'running');
      assert.equal(info.lastSfpIndex, 3);
      sameJson(messages, [user('What is new?'), asks('call'), answers('call'), assistant('All quiet.')]);
      assert.deepEqual(
        toolCalls.map(({ state, output, messageSeq }) => ({ state, output, messageSeq })),
        [{ state: 'completed', output: 'nothing', messageSeq: 1 }],
      );
      assert.deepEqual(todos?.todos, [{ title: 'sleep' }]);
      assert.equal(compaction?.seq, 2);
      assert.equal((await collect(again.readEvents('a'))).length, 2);
      sameJson((await again.loadSnapshot('a', 'after'))?.messages, messages);
    });

    spec.describe('with one bad part write nothing:', () => {
      for (const [name, { part, field }] of Object.entries(BAD_PARTS)) {
        spec.test(name, async ({ store, reopen }) => {
          await createAgent(store, 'a', [user('start'), asks('done', 'open')]);
          await store.saveToolCallRecords('a', [{ toolCallId: 'done', state: 'completed', output: 'one' }]);
          const before = await everything(store);
          await refused(store.commit('a', { ...goodParts(), ...part }), field);
          // The bad part comes last in its list, too: what is before it must not stay.
          await refused(store.commit('a', { ...goodParts(), ...afterGoodOnes(part) }), field);
          assert.equal(await everything(await reopen()), before);
        });
      }

      spec.test('a refused creation creates nothing', async ({ store, reopen }) => {
        const messages = [user('fine'), wrong<never>({ role: 'tool', content: [] })];
        await refused(store.commit('new', { info: {}, messages, expectedVersion: 0 }), 'role');
        assert.deepEqual(await (await reopen()).list(), []);
      });

      spec.test('and take no neighbour with them', async ({ store, reopen }) => {
        await createAgent(store, 'a');
        const outcomes = await Promise.allSettled(
          Array.from({ length: 20 }, (_, n) =>
            n % 4 === 0
              ? store.commit('a', {
                  messages: [user(`lost ${n}`)],
                  toolCalls: [{ toolCallId: 'x', callSeq: 99 }],
                })
              : store.commit('a', { messages: [user(`kept ${n}`)] }),
          ),
        );
        for (const [n, { status }] of outcomes.entries()) {
          assert.equal(status, n % 4 === 0 ? 'rejected' : 'fulfilled', `commit ${n}`);
        }
        const texts = (await (await reopen()).loadMessages('a')).map((message) => JSON.stringify(message));
        assert.equal(texts.length, 15);
        assert.ok(texts.every((text) => text.includes('kept')));
      });
    });

    spec.describe('versions', () => {
      spec.test('rise by one with every commit of state, also one that changes nothing', async (context) => {
        const { store } = context;
        await createAgent(store, 'a', conversation(2));
        const changes: Record<string, () => Promise<unknown>> = {
          messages: () => store.commit('a', { messages: [asks('call')] }),
          appendMessages: () => store.appendMessages('a', [user('x')]),
          saveMessages: () => store.saveMessages('a', conversation(3)),
          'equal messages': () => store.saveMessages('a', conversation(3)),
          toolCalls: () => store.saveToolCallRecords('a', [{ toolCallId: 'c', toolName: 'search' }]),
          todos: () => store.saveTodos('a', { todos: [] }),
          usage: () => store.commit('a', { usage: [{ model: 'm' }] }),
          info: () => store.saveInfo('a', { status: 'running' }),
          'equal info': () => store.saveInfo('a', { status: 'running' }),
          compaction: () => store.commit('a', { compaction: { seq: 1, messages: [] } }),
          snapshot: () => store.saveSnapshot('a', { id: 's' }),
          document: () => store.saveDocument('a', { kind: 'compression', name: 'd', content: 1 }),
        };
        let version = 1;
        for (const [name, change] of Object.entries(changes)) {
          await change();
          assert.equal((await store.loadInfo('a'))?.version, ++version, name);
        }
        assert.equal((await (await context.reopen()).loadInfo('a'))?.version, version);
      });

      spec.test("don't rise with events", async ({ store, reopen }) => {
        await createAgent(store, 'a', conversation(2));
        const result = await store.commit('a', { events: [progress('x'), progress('y')] });
        assert.deepEqual(result, { version: 1, messageCount: 2, cursor: 2 });
        await store.appendEvent('a', progress('z'));
        assert.equal((await (await reopen()).loadInfo('a'))?.version, 1);
      });

      spec.test('that are expected must be there', async ({ store, reopen }) => {
        const { version } = await store.commit('a', { info: {}, expectedVersion: 0 });
        await store.commit('a', { messages: [user('one')], expectedVersion: version });
        await assert.rejects(
          store.commit('a', { messages: [user('two')], expectedVersion: version }),
          (error) => {
            assert.ok(error instanceof VersionConflictError);
            assert.deepEqual([error.agentId, error.expected, error.actual], ['a', 1, 2]);
            return true;
          },
        );
        await assert.rejects(
          store.commit('a', { messages: [user('x')], expectedVersion: 3 }),
          VersionConflictError,
        );
        sameJson(await (await reopen()).loadMessages('a'), [user('one')]);
      });

      spec.test('of many commits on one version one is stored', async ({ store, reopen }) => {
        await createAgent(store, 'a');
        const commits = Array.from({ length: 8 }, (_, n) =>
          store.commit('a', { messages: [user(`writer ${n}`)], expectedVersion: 1 }),
        );
        const outcomes = await Promise.allSettled(commits);
        const lost = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
        assert.equal(lost.length, 7);
        for (const error of lost) assert.ok(error instanceof VersionConflictError, `${error}`);
        assert.equal((await (await reopen()).loadMessages('a')).length, 1);
      });

      spec.test('are one each for commits at one moment', async ({ store, reopen }) => {
        await createAgent(store, 'a');
        const results = await Promise.all(
          Array.from({ length: 30 }, (_, n) =>
            store.commit('a', { messages: [user(`${n}`), assistant(`${n}`)] }),
          ),
        );
        const byVersion = results.toSorted((a, b) => a.version - b.version);
        for (const [n, { version, messageCount }] of byVersion.entries()) {
          assert.equal(version, n + 2);
          assert.equal(messageCount, 2 * (n + 1));
        }
        const messages = await (await reopen()).loadMessages('a');
        for (let n = 0; n < messages.length; n += 2) {
          sameJson(messages[n]?.content, messages[n + 1]?.content, "a commit's messages lie together");
        }
      });

      spec.test('0 means: create it', async ({ store, reopen }) => {
        await createAgent(store, 'there');
        const messages = [user('x')];
        const there = (change: TurnCommit) => store.commit('there', { messages, ...change });
        const missing = (change: TurnCommit) => store.commit('missing', { messages, ...change });
        await assert.rejects(there({ info: {}, expectedVersion: 0 }), AgentExistsError);
        await assert.rejects(there({ expectedVersion: 0 }), VersionConflictError);
        await assert.rejects(missing({ expectedVersion: 0 }), AgentNotFoundError);
        await assert.rejects(missing({ info: {} }), AgentNotFoundError);
        await assert.rejects(missing({ info: {}, expectedVersion: 1 }), AgentNotFoundError);
        const again = await reopen();
        assert.deepEqual(await again.list(), ['there']);
        assert.deepEqual(await again.loadMessages('there'), []);
      });
    });
  });
}

function goodParts(): TurnCommit {
  return {
    messages: [user('good'), { role: 'assistant', content: [toolUse('good')] }],
    toolCalls: [
      { toolCallId: 'good', state: 'executing' },
      { toolCallId: 'more', toolName: 'search' },
    ],
    events: [progress('good')],
    todos: { todos: ['good'] },
    usage: [{ model: 'm', inputTokens: 1 }],
    info: { status: 'running' },
    compaction: { seq: 1, messages: [user('good')] },
    snapshot: { id: 'good' },
  };
}

function afterGoodOnes(part: TurnCommit): TurnCommit {
  const { messages, toolCalls, events } = goodParts();
  return {
    ...part,
    ...(part.messages && { messages: [...(messages ?? []), ...part.messages] }),
    ...(part.toolCalls && { toolCalls: [...(toolCalls ?? []), ...part.toolCalls] }),
    ...(part.events && { events: [...(events ?? []), ...part.events] }),
  };
}

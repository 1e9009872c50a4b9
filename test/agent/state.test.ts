import { describe, expect } from 'vitest';
import { ApprovalRequiredError, ValidationError } from '../../src/index.ts';
import {
  asks,
  create,
  failureOf,
  modelAsks,
  modelSays,
  onEachStore,
  results,
  resume,
  says,
  states,
  tool,
  userSays,
} from './harness.ts';

onEachStore(({ test }) => {
  describe('snapshots and forks', () => {
    test('a fork goes its own way from the end, a snapshot, or a number of messages', async ({
      store,
      provider,
    }) => {
      const model = await provider((_request, index) => says(`Answer ${index}.`));
      const agent = await create(store, model);
      await agent.send('One.');
      expect(await agent.snapshot('early')).toBe('early');
      await agent.send('Two.');
      const unnamed = await agent.snapshot();
      const [whole, early, before] = [
        await agent.fork(),
        await agent.fork({ at: 'early', agentId: 'b' }),
        await agent.fork({ at: 1 }),
      ];
      expect(early.agentId).toBe('b');
      expect((await store.listSnapshots('a')).map(({ id, messageCount }) => [id, messageCount])).toEqual([
        ['early', 2],
        [unnamed, 4],
      ]);
      expect(await store.loadMessages(whole.agentId)).toEqual(await store.loadMessages('a'));
      expect(await early.send('Instead.')).toBe('Answer 2.');
      expect(model.requests[2]?.json.messages).toMatchObject([
        { role: 'user' },
        { role: 'assistant', content: [{ text: 'Answer 0.' }] },
        { role: 'user', content: [{ text: 'Instead.' }] },
      ]);
      expect((await before.run()).text).toBe('Answer 3.');
      expect(model.requests[3]?.body).toBe(model.requests[0]?.body);
      expect(await store.loadMessages('a')).toHaveLength(4);
      expect(await store.loadInfo('b')).toMatchObject({
        lineage: ['a'],
        templateId: 'clerk',
        messageCount: 4,
      });
      expect(await agent.send('Three.')).toBe('Answer 4.');
    });

    test('a fork in the middle of a step says that its calls were cut off', async ({ store, provider }) => {
      const model = await provider([asks(['pay', 'c1'], ['act', 'c2']), says('Fork.'), says('Paid.')]);
      const tools = [tool('pay', undefined, { needsApproval: true }), tool('act')];
      const agent = await create(store, model, { tools });
      await agent.run('Go.');
      const fork = await agent.fork();
      // `act` has ended, but its result isn't part of what was forked.
      expect(await states(store, fork.agentId)).toEqual([
        ['c1', 'approval_required'],
        ['c2', 'sealed'],
      ]);
      expect(await fork.pendingApprovals()).toMatchObject([{ toolCallId: 'c1' }]);
      await fork.deny('c1');
      expect((await fork.run()).text).toBe('Fork.');
      expect((await store.loadMessages(fork.agentId))[2]).toEqual(
        results(['c1', 'This call was denied.', true], ['c2', expect.stringContaining('fork'), true]),
      );
      // The original still waits.
      expect(await agent.pendingApprovals()).toMatchObject([{ toolCallId: 'c1' }]);
      await agent.approve('c1');
      expect((await agent.run()).text).toBe('Paid.');
    });

    test('a fork of a call that runs can go on at once', async ({ store, provider }) => {
      const model = await provider([asks(['branch', 'c1']), says('One.'), says('Two.')]);
      let forked: string | undefined;
      const branch = tool('branch', async () => {
        const fork = await agent.fork({ agentId: 'b' });
        forked = (await fork.run()).text;
        return 'branched';
      });
      const agent = await create(store, model, { tools: [branch] });
      expect(await agent.send('Go.')).toBe('Two.');
      expect(forked).toBe('One.');
      expect(await store.loadMessages('b')).toEqual([
        userSays('Go.'),
        modelAsks(['branch', 'c1']),
        results(['c1', expect.stringContaining('fork'), true]),
        modelSays('One.'),
      ]);
    });

    test('there is no fork at what is not there', async ({ store, provider }) => {
      const model = await provider([says('One.')]);
      const agent = await create(store, model);
      await agent.send('Hi');
      expect(await failureOf(agent.fork({ at: 'nothing' }))).toBeInstanceOf(ValidationError);
      expect(await failureOf(agent.fork({ at: 3 }))).toBeInstanceOf(ValidationError);
      expect(await store.list()).toEqual(['a']);
    });
  });

  test('to-dos are stored, and found again', async ({ store, provider, reopen }) => {
    const model = await provider([says('Hello.')]);
    const agent = await create(store, model);
    expect(agent.todos).toEqual([]);
    await agent.setTodos([{ title: 'Rest' }]);
    expect(agent.todos).toEqual([{ title: 'Rest' }]);
    expect(await failureOf(agent.setTodos([10n]))).toBeInstanceOf(ValidationError);
    const again = await resume(await reopen(), model);
    expect(again.todos).toEqual([{ title: 'Rest' }]);
    expect(await again.send('Hi')).toBe('Hello.');
  });

  describe('compact()', () => {
    test('the model sees the summary and what follows; the archive keeps everything', async ({
      store,
      provider,
      reopen,
    }) => {
      const model = await provider([says('One.'), says('It was about one.'), says('Two.'), says('Three.')]);
      const agent = await create(store, model);
      expect(await agent.compact()).toBeUndefined();
      await agent.send('First?');
      await agent.snapshot('before');
      expect(await agent.compact()).toEqual({ seq: 2, summary: 'It was about one.' });
      expect(await agent.compact()).toBeUndefined();
      expect(model.requests).toHaveLength(2);
      await agent.send('Second?');
      const seen = ['It was about one.', 'Second?'];
      for (const text of seen) expect(model.requests[2]?.body).toContain(text);
      expect(model.requests[2]?.body).not.toContain('First?');

      const reopened = await reopen();
      const again = await resume(reopened, model);
      await again.send('Third?');
      for (const text of [...seen, 'Two.', 'Third?']) expect(model.requests[3]?.body).toContain(text);
      expect(await reopened.loadMessages('a')).toEqual([
        userSays('First?'),
        modelSays('One.'),
        userSays('Second?'),
        modelSays('Two.'),
        userSays('Third?'),
        modelSays('Three.'),
      ]);
      expect(await reopened.loadCompactions('a')).toMatchObject([{ seq: 2 }]);
    });

    test('not while a step is open', async ({ store, provider }) => {
      const model = await provider([asks(['pay', 'c1'])]);
      const agent = await create(store, model, { tools: [tool('pay', undefined, { needsApproval: true })] });
      await agent.run('Pay.');
      expect(await failureOf(agent.compact())).toBeInstanceOf(ApprovalRequiredError);
      await store.decideApproval('a', 'c1', { decision: 'allow' });
      const failure = await failureOf(agent.compact());
      expect(failure).toBeInstanceOf(ValidationError);
      expect(failure).toMatchObject({ message: expect.stringMatching(/Go on with run/) });
      expect(model.requests).toHaveLength(1);
    });
  });
});

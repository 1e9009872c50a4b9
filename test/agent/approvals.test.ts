import { describe, expect } from 'vitest';
import { Agent, AlreadyDecidedError, ApprovalRequiredError, ValidationError } from '../../src/index.ts';
import {
  asks,
  collect,
  create,
  eventTypes,
  failureOf,
  modelAsks,
  modelSays,
  onEachStore,
  results,
  resume,
  says,
  states,
  template,
  test,
  tool,
  userSays,
} from './harness.ts';
import { KINDS } from './provider/collect.ts';

/** A tool that needs approval, and a list of what it did. */
function payer(needsApproval: Parameters<typeof tool>[2] = { needsApproval: true }) {
  const paid: unknown[] = [];
  const pay = tool('pay', (input) => `receipt ${paid.push((input as { n: number }).n)}`, needsApproval);
  return { pay, paid };
}

onEachStore(({ test, testSql }) => {
  test('a turn stops at a call that needs approval, and says at which', async ({
    store,
    provider,
    reopen,
  }) => {
    const model = await provider([asks(['pay', 'c1', { n: 5 }]), says('Paid.')]);
    const { pay, paid } = payer();
    const agent = await create(store, model, { tools: [pay] });
    const result = await agent.run('Pay.');
    expect(result).toMatchObject({
      status: 'awaiting_approval',
      approvals: [
        { toolCallId: 'c1', toolName: 'pay', input: { n: 5 }, callSeq: 0, state: 'approval_required' },
      ],
    });
    expect(await agent.pendingApprovals()).toEqual(result.approvals);
    expect(paid).toEqual([]);
    expect(await store.loadInfo('a')).toMatchObject({ status: 'awaiting_approval' });
    expect(await store.loadMessages('a')).toEqual([userSays('Pay.'), modelAsks(['pay', 'c1', { n: 5 }])]);

    const again = await resume(await reopen(), model, { tools: [pay] });
    expect(await again.pendingApprovals()).toEqual(result.approvals);
    expect((await again.run()).status).toBe('awaiting_approval');
    expect(model.requests).toHaveLength(1);
  });

  test('send() rejects with the calls, in its own turn and while the agent waits', async ({
    store,
    provider,
  }) => {
    const model = await provider([asks(['pay', 'c1'])]);
    const agent = await create(store, model, { tools: [payer().pay] });
    for (const input of ['Pay.', 'Hurry up.']) {
      const failure = await failureOf(agent.send(input));
      expect(failure).toBeInstanceOf(ApprovalRequiredError);
      expect(failure).toMatchObject({
        code: 'APPROVAL_REQUIRED',
        agentId: 'a',
        calls: [{ toolCallId: 'c1', state: 'approval_required' }],
        message: expect.stringContaining('"pay" ("c1")'),
      });
    }
    expect(await store.loadMessages('a')).toHaveLength(2);
    expect(await store.loadInfo('a')).toMatchObject({ status: 'awaiting_approval' });
    expect(model.requests).toHaveLength(1);
  });

  test('somebody else allows it: run() runs the call and asks the model', async ({
    store,
    another,
    provider,
  }) => {
    const model = await provider([asks(['pay', 'c1', { n: 5 }]), says('Paid.')]);
    const { pay, paid } = payer();
    const agent = await create(store, model, { tools: [pay] });
    await agent.run('Pay.');
    await (await another()).decideApproval('a', 'c1', { decision: 'allow', by: 'ana', note: 'Fine.' });
    expect(paid).toEqual([]);
    expect(await agent.pendingApprovals()).toEqual([]);
    expect(await agent.run()).toMatchObject({ status: 'completed', text: 'Paid.', approvals: [] });
    expect(paid).toEqual([5]);
    expect(await store.loadMessages('a')).toEqual([
      userSays('Pay.'),
      modelAsks(['pay', 'c1', { n: 5 }]),
      results(['c1', 'receipt 1']),
      modelSays('Paid.'),
    ]);
    const [call] = await store.loadToolCallRecords('a');
    expect(call).toMatchObject({
      state: 'completed',
      approval: { required: true, decision: 'allow', decidedBy: 'ana', note: 'Fine.' },
    });
    expect(call?.auditTrail.map((entry) => entry.state)).toEqual([
      'pending',
      'approval_required',
      'approved',
      'executing',
      'completed',
    ]);
  });

  test('a denied call does not run, and the model reads why', async ({ store, provider, reopen }) => {
    const model = await provider([asks(['pay', 'c1'], ['pay', 'c2']), says('Sorry.')]);
    const { pay, paid } = payer();
    const agent = await create(store, model, { tools: [pay] });
    await agent.run('Pay.');
    await agent.deny('c1', { by: 'ben', note: 'Too much.' });
    await agent.deny('c2');
    const again = await resume(await reopen(), model, { tools: [pay] });
    const { parts } = await collect(again.stream());
    expect(parts.filter((part) => part.type === 'tool-output-denied')).toMatchObject([
      { toolCallId: 'c1' },
      { toolCallId: 'c2' },
    ]);
    expect(paid).toEqual([]);
    expect(await again.run()).toMatchObject({ status: 'completed', text: 'Sorry.' });
    expect((await (await reopen()).loadMessages('a')).slice(2, 3)).toEqual([
      results(['c1', 'This call was denied: Too much.', true], ['c2', 'This call was denied.', true]),
    ]);
    expect(model.requests).toHaveLength(2);
  });

  test('calls of the same step that need no approval run at once', async ({ store, provider }) => {
    const model = await provider([asks(['look', 'c1'], ['pay', 'c2'], ['look', 'c3']), says('Done.')]);
    const { pay } = payer();
    let looks = 0;
    const look = tool('look', () => {
      looks += 1;
      return `seen ${looks}`;
    });
    const agent = await create(store, model, { tools: [pay, look] });
    expect((await agent.run('Go.')).status).toBe('awaiting_approval');
    expect(await states(store)).toEqual([
      ['c1', 'completed'],
      ['c2', 'approval_required'],
      ['c3', 'completed'],
    ]);
    expect(await store.loadMessages('a')).toHaveLength(2);
    await agent.approve('c2', { by: 'ana' });
    expect((await agent.run()).text).toBe('Done.');
    expect(looks).toBe(2);
    expect((await store.loadMessages('a'))[2]).toEqual(
      results(['c1', 'seen 1'], ['c2', 'receipt 1'], ['c3', 'seen 2']),
    );
  });

  test('of several calls that wait, those that are decided run, and the turn waits for the rest', async ({
    store,
    provider,
  }) => {
    const model = await provider([asks(['pay', 'c1', { n: 1 }], ['pay', 'c2', { n: 2 }]), says('Done.')]);
    const { pay, paid } = payer();
    const agent = await create(store, model, { tools: [pay] });
    await agent.run('Go.');
    await agent.approve('c2');
    const result = await agent.run();
    expect(result).toMatchObject({ status: 'awaiting_approval', approvals: [{ toolCallId: 'c1' }] });
    expect(paid).toEqual([2]);
    await agent.deny('c1');
    expect((await agent.run()).status).toBe('completed');
    expect(paid).toEqual([2]);
    expect((await store.loadMessages('a'))[2]).toEqual(
      results(['c1', 'This call was denied.', true], ['c2', 'receipt 1']),
    );
  });

  test('a decision is final, and there is none on other calls', async ({ store, provider }) => {
    const model = await provider([asks(['pay', 'c1'], ['look', 'c2'])]);
    const agent = await create(store, model, { tools: [payer().pay, tool('look')] });
    await agent.run('Go.');
    const record = await agent.approve('c1', { by: 'ana', note: 'Go ahead.' });
    expect(record).toMatchObject({ state: 'approved', approval: { decidedBy: 'ana', note: 'Go ahead.' } });
    expect(await failureOf(agent.deny('c1'))).toBeInstanceOf(AlreadyDecidedError);
    expect(await failureOf(agent.approve('c2'))).toBeInstanceOf(ValidationError);
    expect(await failureOf(agent.approve('c9'))).toBeInstanceOf(ValidationError);
    expect(await states(store)).toEqual([
      ['c1', 'approved'],
      ['c2', 'completed'],
    ]);
    const types = await eventTypes(store);
    expect(types.filter((type) => type.startsWith('tool-approval'))).toEqual([
      'tool-approval-request',
      'tool-approval-response',
    ]);
  });

  test('a new input after the decisions: the calls run first', async ({ store, provider, reopen }) => {
    const model = await provider([asks(['pay', 'c1', { n: 7 }]), says('Both done.')]);
    const { pay, paid } = payer();
    const agent = await create(store, model, { tools: [pay] });
    await agent.run('Pay.');
    await agent.approve('c1');
    const again = await resume(await reopen(), model, { tools: [pay] });
    expect(await again.send('And tell me.')).toBe('Both done.');
    expect(paid).toEqual([7]);
    expect(await (await reopen()).loadMessages('a')).toEqual([
      userSays('Pay.'),
      modelAsks(['pay', 'c1', { n: 7 }]),
      results(['c1', 'receipt 1']),
      userSays('And tell me.'),
      modelSays('Both done.'),
    ]);
  });

  test('interrupt() while the other calls run leaves the approval pending', async ({ store, provider }) => {
    const model = await provider([asks(['stop', 'c1'], ['pay', 'c2']), says('Done.')]);
    const { pay } = payer();
    const stop = tool('stop', () => {
      void agent.interrupt();
      return new Promise(() => undefined);
    });
    const agent: Agent = await create(store, model, { tools: [pay, stop] });
    expect((await agent.run('Go.')).status).toBe('interrupted');
    expect(await store.loadInfo('a')).toMatchObject({ status: 'awaiting_approval' });
    expect(await states(store)).toEqual([
      ['c1', 'failed'],
      ['c2', 'approval_required'],
    ]);
    await agent.approve('c2');
    expect((await agent.run()).status).toBe('completed');
  });

  testSql('a worker finds the agent once every decision is made', async ({ store, another, provider }) => {
    const model = await provider([asks(['pay', 'c1'], ['pay', 'c2']), says('Paid.')]);
    const { pay, paid } = payer();
    const agent = await create(store, model, { tools: [pay] });
    await agent.run('Pay.');
    await agent.close();
    const office = await another();
    expect(await office.claimResumable({ limit: 5 })).toEqual([]);
    await office.decideApproval('a', 'c1', { decision: 'allow' });
    expect(await office.claimResumable({ limit: 5 })).toEqual([]);
    await office.decideApproval('a', 'c2', { decision: 'deny' });
    const [lease, ...others] = await office.claimResumable({ limit: 5 });
    expect(others).toEqual([]);
    if (!lease) throw new Error('Nothing was claimed.');
    const worker = await Agent.resume(lease.agentId, {
      store: office,
      provider: model.model,
      template: (info) => template({ id: info.templateId, tools: [pay] }),
      lease,
    });
    expect((await worker.run()).text).toBe('Paid.');
    expect(paid).toHaveLength(1);
    await worker.close();
    expect(await office.claimResumable({ limit: 5 })).toEqual([]);
  });
});

describe.each(KINDS)('%s', (kind) => {
  test('a denial reaches the model as the result of the call', async ({ store, provider }) => {
    const model = await provider([asks(['pay', 'c1']), says('Sorry.')], kind);
    const agent = await create(store, model, { tools: [payer().pay] });
    await agent.run('Pay.');
    await agent.deny('c1', { note: 'Too much.' });
    await agent.run();
    const sent = JSON.stringify(model.requests[1]?.json[kind === 'openai-responses' ? 'input' : 'messages']);
    expect(sent.indexOf('Too much.')).toBeGreaterThan(sent.indexOf('"c1"'));
  });
});

test('needsApproval may be a function of the input and the conversation', async ({ store, provider }) => {
  const model = await provider([asks(['pay', 'c1', { n: 5 }], ['pay', 'c2', { n: 500 }]), says('Done.')]);
  const seen: unknown[] = [];
  const { pay, paid } = payer({
    needsApproval: async (input, { toolCallId, messages }) => {
      seen.push([toolCallId, messages]);
      return (input as { n: number }).n > 100;
    },
  });
  const agent = await create(store, model, { tools: [pay] });
  expect(await agent.run('Pay.')).toMatchObject({ approvals: [{ toolCallId: 'c2' }] });
  expect(paid).toEqual([5]);
  const conversation = [{ role: 'user', content: [{ type: 'text', text: 'Pay.' }] }];
  expect(seen).toEqual([
    ['c1', conversation],
    ['c2', conversation],
  ]);
});

test('needsApproval is asked once per call while its process lives', async ({ store, provider }) => {
  const model = await provider([asks(['pay', 'c1'], ['pay', 'c2']), says('Done.')]);
  const asked: string[] = [];
  const { pay } = payer({
    needsApproval: (_input, { toolCallId }) => {
      asked.push(toolCallId);
      return toolCallId === 'c1';
    },
  });
  const agent = await create(store, model, { tools: [pay] });
  await agent.run('Pay.');
  await agent.approve('c1');
  await agent.run();
  expect(asked).toEqual(['c1', 'c2']);
});

test('a call that needsApproval fails on does not run, and the model reads why', async ({
  store,
  provider,
}) => {
  const model = await provider([asks(['pay', 'c1']), says('I see.')]);
  const { pay, paid } = payer({
    needsApproval: () => {
      throw new Error('The limits are not known.');
    },
  });
  const agent = await create(store, model, { tools: [pay] });
  expect(await agent.send('Pay.')).toBe('I see.');
  expect(paid).toEqual([]);
  expect(await states(store)).toEqual([['c1', 'failed']]);
  expect((await store.loadMessages('a'))[2]).toEqual(results(['c1', 'The limits are not known.', true]));
});

test('a call with an input that is not valid waits for nobody', async ({ store, provider }) => {
  const model = await provider([{ pieces: [{ call: 'pay', id: 'c1', rawInput: '{"n":' }] }, says('Sorry.')]);
  const { pay, paid } = payer();
  const agent = await create(store, model, { tools: [pay] });
  expect(await agent.send('Pay.')).toBe('Sorry.');
  expect(paid).toEqual([]);
  expect(await states(store)).toEqual([['c1', 'failed']]);
});

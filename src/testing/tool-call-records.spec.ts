import assert from 'node:assert/strict';
import type { ToolCallRecord, ToolCallState, ToolCallUpdate } from '../model/tool-call.ts';
import type { Store } from '../store/store.ts';
import type { Spec, SpecContext } from './harness.ts';
import { answers, asks, createAgent, minute, refused, wrong } from './samples.ts';

type Change = Omit<ToolCallUpdate, 'toolCallId'>;

const UNDERWAY: readonly ToolCallState[] = ['pending', 'approval_required', 'approved', 'executing'];
const TERMINAL: readonly ToolCallState[] = ['denied', 'completed', 'failed', 'sealed'];

/** What becomes of one call: how records are merged, and when it is over. */
export function toolCallRecordsSpec(spec: Spec): void {
  spec.describe("a tool call's records", () => {
    spec.describe('are merged', () => {
      spec.test('what is given overwrites, what is left out stays', async (context) => {
        const { store } = await withCall(context);
        await record(store, { state: 'executing', toolName: 'lookup', input: { query: 'b' }, error: 'slow' });
        await record(store, { output: 'part' });
        await record(store, { approval: { required: true, note: 'by policy' }, output: undefined });
        await record(store, { state: 'completed' });
        const call = await stored(context);
        assert.deepEqual(
          [call.toolName, call.input, call.output, call.state, call.error],
          ['lookup', { query: 'b' }, 'part', 'completed', 'slow'],
        );
        assert.deepEqual(call.approval, { required: true, note: 'by policy' });
      });

      spec.test('several of one commit in their order', async (context) => {
        const { store } = await withCall(context);
        await store.commit('a', { messages: [asks('b')] });
        await store.saveToolCallRecords('a', [
          { toolCallId: 'call', state: 'executing', output: 1 },
          { toolCallId: 'b', state: 'executing' },
          { toolCallId: 'call', output: 2 },
          { toolCallId: 'call', state: 'completed', output: 3 },
          { toolCallId: 'b', state: 'pending', input: 'late' },
        ]);
        const [call, other] = await (await context.reopen()).loadToolCallRecords('a');
        assert.deepEqual([call?.state, call?.output], ['completed', 3]);
        assert.deepEqual([other?.state, other?.input], ['executing', 'late']);
      });

      for (const [rank, state] of UNDERWAY.entries()) {
        for (const earlier of UNDERWAY.slice(0, rank)) {
          spec.test(`${state} doesn't go back to ${earlier}`, async (context) => {
            const { store } = await withCall(context);
            await record(store, { state });
            await record(store, { state: earlier, input: 'newer', error: 'newer' });
            const call = await stored(context);
            assert.deepEqual([call.state, call.input, call.error], [state, 'newer', 'newer']);
          });
        }
      }

      spec.test('a call that awaited approval needed one for ever', async (context) => {
        const { store } = await withCall(context);
        await record(store, { state: 'approval_required' });
        assert.equal((await stored(context)).approval.required, true);
        await record(context.store, { state: 'approved' });
        await record(context.store, { state: 'completed', output: 1 });
        assert.equal((await stored(context)).approval.required, true);
      });

      spec.test('a decision may come with the record', async (context) => {
        const { store } = await withCall(context);
        const approval = {
          required: true,
          decision: 'allow',
          decidedBy: 'ann',
          decidedAt: minute(1),
          note: 'fine',
        } as const;
        await record(store, { state: 'approved', approval });
        const call = await stored(context);
        assert.equal(call.state, 'approved');
        assert.deepEqual(call.approval, approval);
      });
    });

    spec.describe('that are terminal', () => {
      for (const state of TERMINAL) {
        spec.test(`${state}: stay as they are`, async (context) => {
          const { store } = await withCall(context);
          const end: Change = { state, output: { rows: [1] }, error: 'because' };
          await record(store, end);
          const before = await stored(context);
          assert.equal(before.state, state);
          await record(context.store, end);
          for (const earlier of UNDERWAY) {
            await record(context.store, {
              state: earlier,
              input: 'changed',
              output: 'changed',
              error: 'changed',
            });
          }
          for (const other of TERMINAL.filter((one) => one !== state)) {
            await refused(record(context.store, { ...end, state: other }));
          }
          await refused(record(context.store, { ...end, output: { rows: [2] } }));
          await refused(record(context.store, { ...end, output: null }));
          await refused(record(context.store, { ...end, error: 'something else' }));
          assert.deepEqual(await stored(context), before);
        });
      }

      spec.test("without output: can't be given one", async (context) => {
        const { store } = await withCall(context);
        await record(store, { state: 'completed' });
        await refused(record(store, { state: 'completed', output: null }));
        assert.ok(!('output' in (await stored(context))));
      });

      spec.test('denied by a decision: whatever comes later is ignored', async (context) => {
        const { store } = await withCall(context);
        await record(store, { state: 'approval_required' });
        await store.decideApproval('a', 'call', { decision: 'deny', by: 'ann' });
        const before = await stored(context);
        for (const state of [...UNDERWAY, ...TERMINAL]) {
          await record(context.store, { state, output: 'too late', error: 'too late' });
        }
        await context.store.commit('a', { messages: [answers('call')] });
        assert.deepEqual(await stored(context), before);
      });
    });

    spec.describe('keep', () => {
      for (const value of [0, false, '', null, [], {}]) {
        spec.test(`${JSON.stringify(value)} as an input and an output`, async (context) => {
          const { store } = await withCall(context);
          await record(store, { state: 'completed', input: value, output: value });
          const call = await stored(context);
          assert.ok('output' in call);
          assert.deepEqual([call.input, call.output], [value, value]);
        });
      }

      spec.test('no output apart from a null one', async (context) => {
        const { store } = await withCall(context);
        await record(store, { state: 'failed', error: '' });
        const call = await stored(context);
        assert.ok(!('output' in call));
        assert.equal(call.error, '');
      });

      spec.test('a duration of 0', async (context) => {
        const { store } = await withCall(context);
        await record(store, { state: 'completed', durationMs: 0 });
        assert.equal((await stored(context)).durationMs, 0);
      });

      spec.test('whether it was an error: failed calls by default, others if said', async (context) => {
        const { store } = context;
        await createAgent(store, 'a', [asks('1', '2', '3', '4')]);
        await store.saveToolCallRecords('a', [
          { toolCallId: '1', state: 'failed' },
          { toolCallId: '2', state: 'failed', isError: false },
          { toolCallId: '3', state: 'completed' },
          { toolCallId: '4', state: 'completed', isError: true, error: 'half of it' },
        ]);
        const records = await (await context.reopen()).loadToolCallRecords('a');
        assert.deepEqual(
          records.map(({ isError }) => isError),
          [true, false, false, true],
        );
      });
    });

    spec.describe('tell the time', () => {
      spec.test('of the first execution and of the end', async (context) => {
        const { store } = await withCall(context);
        await record(store, { state: 'executing' }, minute(1));
        await record(store, { state: 'executing', output: 'part' }, minute(2));
        await record(store, { state: 'completed', output: 'all' }, minute(4));
        const call = await stored(context);
        assert.deepEqual([call.startedAt, call.completedAt], [minute(1), minute(4)]);
        assert.equal(call.durationMs, 180_000);
      });

      spec.test('of a failure', async (context) => {
        const { store } = await withCall(context);
        await record(store, { state: 'executing' }, minute(1));
        await record(store, { state: 'failed', error: 'x' }, minute(1));
        const call = await stored(context);
        assert.deepEqual([call.startedAt, call.completedAt, call.durationMs], [minute(1), minute(1), 0]);
      });

      spec.test('of the end alone, where no execution was recorded', async (context) => {
        const { store } = await withCall(context);
        await record(store, { state: 'completed' }, minute(3));
        const call = await stored(context);
        assert.deepEqual(call.completedAt, minute(3));
        assert.ok(!('startedAt' in call) && !('durationMs' in call));
      });

      spec.test('as it is given', async (context) => {
        const { store } = await withCall(context);
        const given = { startedAt: minute(1), completedAt: minute(2), durationMs: 7 };
        await record(store, { state: 'completed', ...given }, minute(9));
        const { startedAt, completedAt, durationMs } = await stored(context);
        assert.deepEqual({ startedAt, completedAt, durationMs }, given);
        await refused(record(context.store, { startedAt: new Date(Number.NaN) }), 'startedAt');
      });
    });

    spec.describe('leave an audit trail', () => {
      spec.test('of each change of state, once', async (context) => {
        const { store } = await withCall(context);
        const way = ['pending', 'approval_required', 'approved', 'executing', 'completed'] as const;
        for (const [n, state] of way.entries()) {
          await record(store, { state }, minute(2 * n));
          await record(store, { state }, minute(2 * n + 1));
        }
        const { auditTrail } = await stored(context);
        assert.deepEqual(
          auditTrail,
          way.map((state, n) => ({ state, at: minute(2 * n) })),
        );
      });

      spec.test('that an import may bring along', async (context) => {
        const { store } = await withCall(context);
        const auditTrail = [
          { state: 'pending', at: minute(1) },
          { state: 'executing', at: minute(2), note: 'host 7' },
          { state: 'failed', at: minute(3), note: 'out of memory' },
        ] as const;
        await record(store, { state: 'failed', auditTrail: [...auditTrail] }, minute(9));
        assert.deepEqual((await stored(context)).auditTrail, auditTrail);
      });
    });

    spec.test("that aren't records are refused", async (context) => {
      await withCall(context);
      const before = await stored(context);
      await refused(record(context.store, { state: wrong('lost') }), 'state');
      await refused(record(context.store, { isError: wrong('yes') }), 'isError');
      await refused(record(context.store, { callSeq: -1 }), 'callSeq');
      await refused(record(context.store, { callSeq: 0.5 }), 'callSeq');
      await refused(context.store.saveToolCallRecords('a', wrong('none')));
      assert.deepEqual(await stored(context), before);
    });
  });
}

/** Agent `a`, whose first message asks for `call`, at noon of a day long past. */
async function withCall(context: SpecContext): Promise<SpecContext> {
  await context.store.commit('a', { info: {}, messages: [asks('call')], at: minute(0), expectedVersion: 0 });
  return context;
}

async function record(store: Store, change: Change, at?: Date): Promise<void> {
  await store.commit('a', { toolCalls: [{ toolCallId: 'call', ...change }], at });
}

async function stored(context: SpecContext): Promise<ToolCallRecord> {
  const [call] = await (await context.reopen()).loadToolCallRecords('a');
  assert.ok(call);
  return call;
}

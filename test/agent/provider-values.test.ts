import { describe, expect } from 'vitest';
import { Agent } from '../../src/agent/agent.ts';
import { create, onEachStore, says, states, template, tool } from './harness.ts';
import { KINDS } from './provider/collect.ts';
import type { Piece, RecordedRequest } from './provider/provider.ts';

const SIGNED = `call_${'A'.repeat(4_500)}`;
const HUGE = `call_${'B'.repeat(70_000)}`;

/** Ids of calls and of results in a request, in their order. */
function idsIn({ kind, json }: RecordedRequest): { calls: unknown[]; results: unknown[]; names: unknown[] } {
  const found = { calls: [] as unknown[], results: [] as unknown[], names: [] as unknown[] };
  const entries = (kind === 'openai-responses' ? json.input : json.messages) as Record<string, unknown>[];
  for (const entry of entries) {
    const items = Array.isArray(entry.content) ? (entry.content as Record<string, unknown>[]) : [];
    for (const item of [entry, ...items, ...((entry.tool_calls as Record<string, unknown>[]) ?? [])]) {
      if (item.type === 'tool_use') found.names.push(item.name);
      if (item.type === 'function_call') found.names.push(item.name);
      if (item.type === 'function') found.names.push((item.function as { name: string }).name);
      if (item.type === 'tool_use' || item.type === 'function') found.calls.push(item.id);
      if (item.type === 'function_call') found.calls.push(item.call_id);
      if (item.type === 'tool_result') found.results.push(item.tool_use_id);
      if (item.type === 'function_call_output') found.results.push(item.call_id);
      if (item.role === 'tool') found.results.push(item.tool_call_id);
    }
  }
  return found;
}

describe.each(KINDS)('%s', (kind) => {
  onEachStore(({ test }) => {
    test('M1 ids that are long, empty or repeated, and impossible names: the turn ends, and goes on', async ({
      store,
      provider,
      reopen,
    }) => {
      const pieces: Piece[] = [
        { call: 'act', id: SIGNED, input: { n: 1 } },
        { call: 'act', id: '', input: { n: 2 } },
        { call: 'act', id: 'twice', input: { n: 3 } },
        { call: 'act', id: 'twice', input: { n: 4 } },
        { call: '', id: 'unnamed', input: {} },
        { call: `t${'z'.repeat(399)}`, id: 'overlong', input: {} },
        { call: 'no/such tool', id: 'odd', input: {} },
        { call: 'act', id: HUGE, input: { n: 5 } },
      ];
      const model = await provider([{ pieces, chunkSize: 20_000 }, says('Done.'), says('Again.')], kind);
      const agent = await create(store, model, { tools: [tool('act')] });
      expect(await agent.send('Go.')).toBe('Done.');
      expect(await store.loadInfo('a')).toMatchObject({ status: 'idle' });
      const calls = await states(store);
      // The SDK's package for chat completions makes ids of its own where there are none.
      if (kind !== 'openai-chat') {
        const ids = [SIGNED, '', 'twice', 'twice', 'unnamed', 'overlong', 'odd'];
        expect(calls.slice(0, 7).map(([id]) => ids.indexOf(id))).toEqual(ids.map((id) => ids.indexOf(id)));
        expect(calls.map(([, state]) => state === 'failed')).toEqual(
          [...'00001110'].map((flag) => flag === '1'),
        );
      }
      expect(calls[0]?.[0] === SIGNED).toBe(true);
      expect(calls.at(-1)?.[0]).toMatch(/^call_[\w-]{43}$/);
      const sent = idsIn(model.requests[1] as RecordedRequest);
      const same = (ids: unknown[]) => JSON.stringify(ids) === JSON.stringify(calls.map(([id]) => id));
      expect(same(sent.calls)).toBe(true);
      expect(same(sent.results)).toBe(true);
      for (const name of sent.names) expect(name).toMatch(/^[a-zA-Z0-9_-]{1,64}$/);
      const repaired: unknown[] = [];
      for await (const { event } of store.readEvents('a', { channel: 'monitor' })) repaired.push(event);
      expect(repaired).toMatchObject([
        { type: 'repaired', messageSeq: 1, repairs: [{ field: 'toolCallId' }] },
      ]);
      await agent.close();

      const again = await Agent.resume('a', {
        store: await reopen(),
        provider: model.model,
        template: template({ tools: [tool('act')] }),
      });
      expect(await again.send('And?')).toBe('Again.');
      expect(JSON.stringify(idsIn(model.requests[2] as RecordedRequest)) === JSON.stringify(sent)).toBe(true);
    });
  });
});

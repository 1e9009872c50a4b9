import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textWidth } from '../../src/cli/text-width.ts';
import type { AgentInfoInput } from '../../src/model/agent.ts';
import { createExtendedStore } from '../../src/store/factory.ts';
import type { AgentStats } from '../../src/store/filters.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { kode, kodeJson } from './kode.ts';

interface Row {
  agentId: string;
  seq?: number;
  callSeq?: number;
}

let folder = '';

/**
 * Agents a, b and c of three days. The second has two templates' worth of words in wide characters, the
 * third a call that failed and one that waits for an approval.
 */
beforeAll(async () => {
  folder = await makeTemporaryDirectory();
  await using store = await createExtendedStore({
    type: 'sqlite',
    dbPath: join(folder, 'agents.db'),
    fileStoreBaseDir: join(folder, 'store'),
  });
  const create = (agentId: string, day: number, info: AgentInfoInput) => {
    const at = new Date(Date.UTC(2025, 0, day, 12));
    return store.commit(agentId, {
      info: { createdAt: at, ...info },
      messages: [
        { role: 'system', content: [{ type: 'text', text: '你是图书馆的服务台,回答要简短' }] },
        { role: 'user', content: [{ type: 'text', text: `question\nof ${agentId}` }] },
      ],
      at,
      expectedVersion: 0,
    });
  };
  await create('a', 1, {
    templateId: 'desk',
    userId: 'ada',
    metadata: { tier: 'gold', seats: 6, open: true },
  });
  await create('b', 2, { templateId: 'desk', metadata: { tier: '6', seats: 6, open: null } });
  await create('c', 3, { templateId: 'rooms', userId: 'bo', metadata: { nested: { tier: 'gold' } } });
  await store.commit('c', {
    messages: [
      {
        role: 'assistant',
        content: [
          { type: 'tool_use', id: 'x', name: 'find_room', input: { seats: 6 } },
          { type: 'tool_use', id: 'y', name: 'book_room', input: {} },
        ],
      },
    ],
    toolCalls: [
      { toolCallId: 'x', state: 'failed', output: 'Error: 预订系统没有回应', isError: true, durationMs: 0 },
      { toolCallId: 'y', state: 'approval_required' },
    ],
    info: { status: 'awaiting_approval' },
    usage: [{ model: 'small', inputTokens: 1200, outputTokens: 30, latencyMs: 900 }],
    at: new Date(Date.UTC(2025, 0, 4, 12)),
  });
});
afterAll(() => removeDirectory(folder));

function rows(...args: string[]): Promise<Row[]> {
  return kodeJson<Row[]>([...args, '--db', join(folder, 'agents.db')]);
}

describe('kode sessions', () => {
  it.each<[string[], string[]]>([
    [[], ['c', 'b', 'a']],
    [
      ['--order', 'asc'],
      ['a', 'b', 'c'],
    ],
    [['--sort-by', 'updatedAt', '--limit', '1'], ['c']],
    [['--limit', '1', '--offset', '1'], ['b']],
    [
      ['--template-id', 'desk'],
      ['b', 'a'],
    ],
    [['--user-id', 'bo'], ['c']],
    [['--status', 'awaiting_approval'], ['c']],
    [['--metadata', 'tier=gold'], ['a']],
    [
      ['--metadata', 'seats=6'],
      ['b', 'a'],
    ],
    [['--metadata', 'tier="6"'], ['b']],
    [['--metadata', 'seats=6', '--metadata', 'open=true'], ['a']],
    [['--metadata', 'open=null'], ['b']],
    [['--metadata', 'nested.tier=gold'], ['c']],
    [
      ['--created-after', '2025-01-02T12:00:00Z'],
      ['c', 'b'],
    ],
    [['--created-before', '2025-01-02T13:00:00+01:00'], ['a']],
    [['--created-after', '2025-01-02', '--created-before', '2025-01-03'], ['b']],
    [['--created-after', String(Date.UTC(2025, 0, 3))], ['c']],
    [['--template-id', 'none'], []],
  ])('%j', async (flags, expected) => {
    expect((await rows('sessions', ...flags)).map((row) => row.agentId)).toEqual(expected);
  });

  it('prints instants as ISO 8601', async () => {
    const [row] = await rows('sessions', '--user-id', 'ada');
    expect(row).toMatchObject({ agentId: 'a', createdAt: '2025-01-01T12:00:00.000Z', version: 1 });
  });
});

describe('kode messages', () => {
  it.each<[string[], string[]]>([
    [['c'], ['c2', 'c1', 'c0']],
    [
      ['c', '--order', 'asc', '--limit', '2'],
      ['c0', 'c1'],
    ],
    [['c', '--content-type', 'tool_use'], ['c2']],
    [['--role', 'assistant'], ['c2']],
    [
      ['--role', 'system', '--order', 'asc'],
      ['a0', 'b0', 'c0'],
    ],
    [
      ['--created-before', '2025-01-02'],
      ['a1', 'a0'],
    ],
    [['nobody'], []],
  ])('%j', async (flags, expected) => {
    expect((await rows('messages', ...flags)).map(({ agentId, seq }) => `${agentId}${seq}`)).toEqual(
      expected,
    );
  });
});

describe('kode tools', () => {
  it.each<[string[], number[]]>([
    [[], [1, 0]],
    [
      ['c', '--order', 'asc'],
      [0, 1],
    ],
    [['--tool-name', 'find_room'], [0]],
    [['--state', 'approval_required'], [1]],
    [['--error'], [0]],
    [['--no-error'], [1]],
    [['--approval'], [1]],
    [['--no-approval'], [0]],
    [['--created-before', '2025-01-04'], []],
    [['a'], []],
  ])('%j', async (flags, expected) => {
    expect((await rows('tools', ...flags)).map((row) => row.callSeq)).toEqual(expected);
  });
});

describe('kode stats', () => {
  it.each<[string[], Partial<AgentStats>]>([
    [[], { totalAgents: 3, totalMessages: 7, totalToolCalls: 2, errorRate: 0.5 }],
    [['c'], { totalAgents: 1, totalMessages: 3, toolCallsByName: { find_room: 1, book_room: 1 } }],
    [['--template-id', 'desk'], { totalAgents: 2, totalMessages: 4, totalToolCalls: 0 }],
    [['--metadata', 'tier=gold', '--created-before', '2025-01-02'], { totalAgents: 1 }],
  ])('%j', async (flags, expected) => {
    expect(await kodeJson(['stats', ...flags, '--db', join(folder, 'agents.db')])).toMatchObject(expected);
  });
});

describe('what people see', () => {
  const see = (columns: number, ...args: string[]) =>
    kode([...args, '--db', join(folder, 'agents.db')], { COLUMNS: String(columns) });

  it('is a table of agents', async () => {
    const { code, stdout, stderr } = await see(200, 'sessions', '--template-id', 'desk');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe(
      [
        'AGENT  TEMPLATE  USER  STATUS  MESSAGES  CREATED (UTC)        UPDATED (UTC)',
        'b      desk            idle           2  2025-01-02 12:00:00  2025-01-02 12:00:00',
        'a      desk      ada   idle           2  2025-01-01 12:00:00  2025-01-01 12:00:00',
        '',
      ].join('\n'),
    );
  });

  it('is a table of messages, as wide as the terminal', async () => {
    const { stdout } = await see(60, 'messages', 'c');
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[0]).toBe('SEQ  ROLE       CREATED (UTC)        CONTENT');
    expect(lines[1]).toContain('→ find_room {"seats":');
    expect(lines[2]).toMatch(/question of c$/);
    expect(lines[3]).toMatch(/你是图书馆.*…$/);
    for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(60);
  });

  it('is a table of tool calls', async () => {
    const { stdout } = await see(200, 'tools');
    expect(stdout).toMatch(/^AGENT +SEQ +TOOL +STATE +ERROR +APPROVAL +MS +INPUT +OUTPUT +CREATED \(UTC\)\n/);
    expect(stdout).toMatch(
      /c +0 +find_room +failed +yes +0 +\{"seats":6\} +Error: 预订系统没有回应 +2025-01-04/,
    );
    expect(stdout).toMatch(/c +1 +book_room +approval_required +pending +\{\} +2025-01-04/);
  });

  it('is a table of figures', async () => {
    const { stdout } = await see(80, 'stats');
    expect(stdout).toMatch(/^messages +7$/m);
    expect(stdout).toMatch(/^tool calls of find_room +1$/m);
    expect(stdout).toMatch(/^error rate +50\.0 %$/m);
    expect(stdout).toMatch(/^model latency p50 \/ p95 \/ p99 +900 \/ 900 \/ 900 ms$/m);
    expect(stdout).toMatch(/^small +1 +1,200 +30 +0 +0$/m);
  });

  it('says when there is nothing', async () => {
    const { code, stdout, stderr } = await see(80, 'tools', 'a');
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: 'No tool calls match.\n' });
    expect(await rows('tools', 'a')).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';
import { AgentBusyError, SlowReaderError } from '../src/agent/errors.ts';
import { MAX_UNREAD_PARTS, PartStream } from '../src/agent/part-stream.ts';
import type { AgentStreamPart } from '../src/agent/stream-part.ts';
import { MAX_WAITING_TURNS, TurnQueue } from '../src/agent/turn-queue.ts';
import { StoreBusyError } from '../src/errors.ts';
import { systemClock } from '../src/model/clock.ts';
import { RecentMap } from '../src/model/recent-map.ts';
import { MAX_TEMPLATES, renderBatch } from '../src/postgres/batch.ts';
import { composed, MAX_COMPOSED } from '../src/sql/port/statement.ts';
import type { TableName } from '../src/sql/schema/tables.ts';
import { SerialQueue } from '../src/sql/write/serial-queue.ts';
import { Lifecycle } from '../src/store/lifecycle.ts';
import { MAX_CALLS, MAX_WRITES_OF_AGENT } from '../src/store/queues.ts';

/** Something to wait for. */
function latch(): { happened: Promise<void>; happen(): void } {
  let happen = () => {};
  const happened = new Promise<void>((resolve) => {
    happen = resolve;
  });
  return { happened, happen: () => happen() };
}

describe('X3 queues have a limit', () => {
  it('calls on a store: one too many is refused, until another one ends', async () => {
    const lifecycle = new Lifecycle(systemClock, (error) => error);
    const { happened, happen } = latch();
    const calls = Array.from({ length: MAX_CALLS }, () => lifecycle.run('wait', () => happened));
    let begun = false;
    const tooMany = lifecycle.run('wait', async () => {
      begun = true;
    });
    await expect(tooMany).rejects.toThrow(StoreBusyError);
    await expect(lifecycle.call('wait', (call) => call.resolve(undefined))).rejects.toThrow(StoreBusyError);
    expect(begun).toBe(false);
    happen();
    await Promise.all(calls);
    await expect(lifecycle.run('wait', async () => 'done')).resolves.toBe('done');
    await lifecycle.close(async () => {});
  });

  it('writes to an agent: one too many is refused, and neither those before nor other agents are', async () => {
    const queue = new SerialQueue();
    const { happened, happen } = latch();
    const order: number[] = [];
    const works = Array.from({ length: MAX_WRITES_OF_AGENT }, (_, n) =>
      queue.run('a', async () => {
        if (n === 0) await happened;
        order.push(n);
      }),
    );
    await expect(queue.run('a', async () => {})).rejects.toThrow(/"a"/);
    await expect(queue.run('a', async () => {})).rejects.toThrow(StoreBusyError);
    await expect(queue.run('b', async () => 'done')).resolves.toBe('done');
    happen();
    await Promise.all(works);
    expect(order).toEqual(works.map((_, n) => n));
    expect(queue.last('a')).toBeUndefined();
    await expect(queue.run('a', async () => 'done')).resolves.toBe('done');
  });

  it('turns of an agent: one too many is refused', async () => {
    const turns = new TurnQueue('a');
    const { happened, happen } = latch();
    const running = turns.run('reject', () => happened);
    const waiting = Array.from({ length: MAX_WAITING_TURNS }, (_, n) => turns.run('queue', async () => n));
    const refused = turns.run('queue', async () => -1);
    await expect(refused).rejects.toThrow(AgentBusyError);
    await expect(refused).rejects.toThrow(`${MAX_WAITING_TURNS} turns`);
    happen();
    await running;
    expect(await Promise.all(waiting)).toEqual(waiting.map((_, n) => n));
    await expect(turns.run('queue', async () => 'done')).resolves.toBe('done');
  });
});

describe('X3 a stream that is read too slowly', () => {
  const delta = (text: string): AgentStreamPart => ({ type: 'text-delta', id: '0', text });
  const source = (n: number): AgentStreamPart => ({ type: 'source', sourceType: 'url', id: String(n) });

  async function drain(parts: PartStream): Promise<{ read: AgentStreamPart[]; failure: unknown }> {
    const read: AgentStreamPart[] = [];
    try {
      for await (const part of parts) read.push(part);
      return { read, failure: undefined };
    } catch (failure) {
      return { read, failure };
    }
  }

  it('keeps all of a long text, in fewer parts', async () => {
    const parts = new PartStream('a');
    const pieces = Array.from({ length: 3 * MAX_UNREAD_PARTS }, (_, n) => `${n} `);
    for (const piece of pieces) parts.push(delta(piece));
    parts.push({ type: 'text-end', id: '0' });
    parts.end();
    const { read, failure } = await drain(parts);
    expect(failure).toBeUndefined();
    expect(read.length).toBeLessThan(MAX_UNREAD_PARTS);
    expect(read.map((part) => ('text' in part ? part.text : '')).join('')).toBe(pieces.join(''));
    expect(read.at(-1)?.type).toBe('text-end');
  });

  it('ends with an error that says so, after what was kept', async () => {
    const parts = new PartStream('a');
    for (let n = 0; n <= MAX_UNREAD_PARTS; n += 1) parts.push(source(n));
    parts.push(source(-1));
    const { read, failure } = await drain(parts);
    expect(read).toEqual(Array.from({ length: MAX_UNREAD_PARTS }, (_, n) => source(n)));
    expect(failure).toBeInstanceOf(SlowReaderError);
    expect(failure).toMatchObject({ code: 'SLOW_READER', agentId: 'a' });
  });

  it('gives each part as it comes to a reader who is quick', async () => {
    const parts = new PartStream('a');
    for (let n = 0; n < 2 * MAX_UNREAD_PARTS; n += 1) {
      parts.push(delta('x'));
      parts.push(source(n));
      expect((await parts.next()).value).toEqual(delta('x'));
      expect((await parts.next()).value).toEqual(source(n));
    }
  });
});

describe('X3 caches have a limit', () => {
  it('what is used stays, and what is not goes', () => {
    const map = new RecentMap<number, string>(10);
    map.set(-1, 'in use');
    for (let n = 0; n < 1_000; n += 1) {
      map.set(n, String(n));
      expect(map.get(-1)).toBe('in use');
      expect(map.get(n)).toBe(String(n));
      expect(map.size).toBeLessThanOrEqual(20);
    }
    expect(map.get(0)).toBeUndefined();
    map.set(-1, 'changed');
    expect(map.get(-1)).toBe('changed');
  });

  it('composed statements are the same while they are used, and forgotten when they are not', () => {
    const used = composed('used', 'SELECT 1 AS used');
    const unused = composed('unused', 'SELECT 1 AS unused');
    for (let n = 0; n < 2 * MAX_COMPOSED; n += 1) {
      composed('other', `SELECT ${n} AS other`);
      expect(composed('used', 'SELECT 1 AS used')).toBe(used);
    }
    expect(composed('unused', 'SELECT 1 AS unused')).not.toBe(unused);
  });

  it('so do the statements of batches', () => {
    const tables: TableName[] = ['messages', 'events', 'usage', 'tool_calls', 'operations', 'todos'];
    /** One of the shapes that operations on these tables can have. */
    const shape = (n: number) => {
      const rows = (count: number) => Array.from({ length: count }, () => []);
      const ops = tables.map((table, i) => {
        return { kind: 'insert' as const, table, rows: rows(Math.floor(n / 3 ** i) % 3) };
      });
      return renderBatch({ ops: [...ops, ...ops] }, 'channel').statement;
    };
    const [used, unused] = [shape(3 ** tables.length - 1), shape(1)];
    const shapes = new Set(Array.from({ length: 3 ** tables.length }, (_, n) => n).map(shape));
    expect(shapes.size).toBeGreaterThan(MAX_TEMPLATES);
    for (let n = 2; n < shapes.size; n += 1) {
      shape(n);
      expect(shape(3 ** tables.length - 1)).toBe(used);
    }
    expect(shape(1)).not.toBe(unused);
  });
});

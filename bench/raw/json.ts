import { mkdirSync } from 'node:fs';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Message } from '../../src/model/message.ts';
import {
  advance,
  eventRows,
  type RawAgent,
  type RawDatabase,
  type RawEvent,
  rowsOf,
  storedEvent,
} from './raw.ts';

/** A file for each agent, to which every write appends one line and syncs it. */
export function openRawJson(folder: string): RawDatabase {
  mkdirSync(folder);
  const files: { path: string; handle: FileHandle }[] = [];
  const write = async ({ key }: RawAgent, value: unknown) => {
    const handle = files[key]?.handle;
    await handle?.write(`${JSON.stringify(value)}\n`);
    await handle?.datasync();
  };
  return {
    async create(metadata) {
      const path = join(folder, `${files.length}.jsonl`);
      files.push({ path, handle: await open(path, 'a') });
      const agent = { key: files.length - 1, version: 1, messages: 0, calls: 0, cursor: 0 };
      await write(agent, { metadata });
      return agent;
    },
    async commit(agent, turn) {
      const rows = rowsOf(agent, turn);
      advance(agent, rows);
      await write(agent, { ...rows, messages: turn.messages, info: turn.info });
    },
    async load({ key }) {
      const text = await readFile(files[key]?.path ?? '', 'utf8');
      const lines = text.trimEnd().split('\n');
      return lines.flatMap((line) => (JSON.parse(line) as { messages?: Message[] }).messages ?? []);
    },
    async append(agent, events) {
      const rows = eventRows(agent, events);
      agent.cursor += events.length;
      await write(agent, { events: rows });
    },
    async events({ key }) {
      const text = await readFile(files[key]?.path ?? '', 'utf8');
      const lines = text.trimEnd().split('\n');
      return lines.flatMap((line) =>
        ((JSON.parse(line) as { events?: RawEvent[] }).events ?? []).map(storedEvent),
      );
    },
    async close() {
      for (const { handle } of files) await handle.close();
    },
  };
}
